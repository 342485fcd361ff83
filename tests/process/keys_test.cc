// `keys` as people run it: the worked example of docs/site.md, a federation whose member rotated
// and sealed its keys, and the prompt at a terminal.
#include "tests/process/commands.h"

namespace sotto::process_test {
namespace {

using nlohmann::json;

/// The lines of the example, as docs/site.md has them.
std::vector<std::string> worked_example() {
  std::ifstream in(SOTTO_SOURCE_DIR "/docs/site.md");
  std::vector<std::string> out;
  bool keys = false, example = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("## ")) keys = line == "## Keys";
    if (line.starts_with("### ")) example = keys && line == "### An example";
    if (example && line.starts_with("    ")) out.push_back(line.substr(4));
  }
  return out;
}

class KeysTest : public CommandsTest {};

TEST_F(KeysTest, TheExampleOfTheDocumentRunsAsItStandsThere) {
  const std::vector<std::string> lines = worked_example();
  ASSERT_GE(lines.size(), 15U);
  for (const std::string& line : lines)
    run_well(line);
  const json shown = json::parse(out());
  EXPECT_EQ(shown["sealed_by"], "passphrase");
  EXPECT_EQ(shown["verified"], true);
  EXPECT_EQ(shown["argon2id"], (json{{"operations", 3}, {"memory_kib", 262144}}));
  EXPECT_EQ(shown["roster_version"], 4);
  ASSERT_EQ(shown["keys"].size(), 2U);
  EXPECT_EQ(shown["keys"][0]["use"], "successor");
  EXPECT_EQ(shown["keys"][1]["named_by_roster"], true);
  // What became of the old machine.
  run_well("sotto-participant keys show --dir aurora --json");
  const json old = json::parse(out());
  EXPECT_EQ(old["verified"], false) << "nothing opened it";
  EXPECT_EQ(old["keys"].size(), 1U);
  EXPECT_EQ(old["keys"][0]["generation"], 2);
  EXPECT_EQ(old["retired"][0]["signing_key"], shown["keys"][0]["signing_key"]);
  expect_refused(
      "sotto-participant join --dir aurora coordinator/federation.json --passphrase-file "
      "new-passphrase",
      "aurora is enrolled with other keys");
  expect_refused("sotto-coordinator enroll --dir coordinator aurora/aurora.card.json", "enrolled");
  run_well("sotto-participant audit verify aurora");
  run_well("sotto-participant audit verify aurora/audit-*.jsonl");
}

TEST_F(KeysTest, WhatDoesNotOpenItIsRefusedInOneClearWay) {
  run_well("(umask 077; echo 'lamp orbit velvet' > right; echo 'lamp orbit velvex' > wrong)");
  run_well("sotto-participant init --dir a --name a --passphrase-file right");
  const std::string before = text_of(at("a/keystore.json"));
  expect_refused("sotto-participant keys rotate --dir a --passphrase-file wrong",
                 "this passphrase does not open the file. The file is complete");
  expect_refused("sotto-participant keys rotate --dir a", "there is no terminal to ask for it");
  expect_refused("sotto-participant keys rotate --dir a --key-file right", "is not a key file");
  expect_refused("chmod 644 right; sotto-participant keys rotate --dir a --passphrase-file right",
                 "run: chmod 600 right");
  run_well("chmod 600 right");
  expect_refused(
      "sotto-participant keys seal --dir a --passphrase-file right --seal-by nothing "
      "--new-key-file k",
      "--seal-by nothing cannot be combined with --new-key-file");
  expect_refused(
      "sotto-participant keys backup b --dir a --passphrase-file right --backup-by "
      "nothing",
      "a backup must be sealed");
  expect_refused("sotto-participant keys rotate --finish --dir a --passphrase-file right",
                 "has not joined a federation");
  EXPECT_EQ(text_of(at("a/keystore.json")), before);
  run_well("sotto-participant keys seal --dir a --passphrase-file right --new-key-file k");
  EXPECT_EQ(fs::status(at("k")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  run_well("sotto-participant keys show --dir a --key-file k");
  EXPECT_NE(out().find("sealed by a key file"), std::string::npos);
  run_well("sotto-participant keys seal --dir a --key-file k --seal-by nothing");
  run_well("sotto-participant keys show --dir a");
  EXPECT_NE(out().find("whoever can read the file has the keys"), std::string::npos);
  run_well("echo short | sotto-participant keys seal --dir a --new-passphrase-file /dev/stdin");
  EXPECT_NE(err().find("warning: the passphrase has 5 characters"), std::string::npos);
  expect_refused("sotto-participant keys restore a/keystore.json --dir a --passphrase-file right",
                 "keys are never overwritten");
}

TEST_F(KeysTest, APromptShowsNothingAsksTwiceAndLeavesOnCtrlC) {
  run_well("sotto-participant init --dir a --name a");
  const std::vector<std::string> seal{Federation::participant_binary(), "keys", "seal", "--dir",
                                      at("a")};
  const std::string before = text_of(at("a/keystore.json"));
  {
    Typist person(seal);
    ASSERT_TRUE(person.wait_for("new passphrase for the keystore: "));
    person.type("velvet cactus\n");
    ASSERT_TRUE(person.wait_for("the same passphrase again: "));
    person.type("velvet cactuz\n");
    EXPECT_EQ(person.status(), 2);
    EXPECT_NE(person.screen().find("the two passphrases differ"), std::string::npos);
    EXPECT_EQ(person.screen().find("cactu"), std::string::npos) << person.screen();
  }
  {
    Typist person(seal);
    ASSERT_TRUE(person.wait_for("new passphrase for the keystore: "));
    person.type("velvet\x03");
    EXPECT_EQ(person.status(), 2);
    EXPECT_NE(person.screen().find("interrupted"), std::string::npos) << person.screen();
  }
  EXPECT_EQ(text_of(at("a/keystore.json")), before);
  {
    Typist person(seal);
    ASSERT_TRUE(person.wait_for("new passphrase for the keystore: "));
    person.type("velvet cactus\n");
    ASSERT_TRUE(person.wait_for("the same passphrase again: "));
    person.type("velvet cactus\n");
    EXPECT_EQ(person.status(), 0) << person.screen();
  }
  Typist person({Federation::participant_binary(), "keys", "revoke", "--dir", at("a")});
  ASSERT_TRUE(person.wait_for("keystore.json: "));
  person.type("velvet cactus\n");
  EXPECT_EQ(person.status(), 0) << person.screen();
  EXPECT_NE(text_of(at("a/a.revocation.json")), "");
}

TEST(KeysOfAFederation, AMemberWithSealedAndRotatedKeysTrainsWithTheOthers) {
  Federation f(3);
  const fs::path log = f.folder() / "keys.log", passphrase = f.folder() / "passphrase";
  std::ofstream(passphrase) << "lamp orbit velvet cactus\n";
  fs::permissions(passphrase, fs::perms::owner_read | fs::perms::owner_write);
  const std::string participant = Federation::participant_binary();
  const fs::path home = f.folder() / "coordinator";
  ASSERT_EQ(
      run({participant, "keys", "seal", "--dir", f.site(1), "--new-passphrase-file", passphrase},
          log),
      0)
      << text_of(log);
  ASSERT_EQ(
      run({participant, "keys", "rotate", "--dir", f.site(1), "--passphrase-file", passphrase},
          log),
      0)
      << text_of(log);
  ASSERT_EQ(run({Federation::coordinator_binary(), "enroll", "--dir", home,
                 f.site(1) / "site-1.card.json"},
                log),
            0)
      << text_of(log);
  for (int m = 1; m <= 3; ++m) {
    std::vector<std::string> join{participant, "join", "--dir", f.site(m),
                                  home / "federation.json"};
    if (m == 1) join.insert(join.end(), {"--passphrase-file", passphrase});
    ASSERT_EQ(run(join, log), 0) << text_of(log);
  }
  Child coordinator = f.start_coordinator();
  Child second = f.start_member(2), third = f.start_member(3);
  Child first({participant, "run", "--dir", f.site(1), "--once", "--passphrase-file", passphrase},
              f.folder() / "site-1.log");
  ASSERT_EQ(coordinator.wait(seconds(200)), 0) << f.coordinator_log();
  EXPECT_EQ(f.done_rounds().at(1)["survivors"], 3) << "the member with new keys is among them";
  EXPECT_NE(f.member_log(1).find("keys of generation 2, which the roster of version 2 names"),
            std::string::npos)
      << f.member_log(1);
  EXPECT_EQ(first.wait(seconds(30)), 0);
}

}  // namespace
}  // namespace sotto::process_test

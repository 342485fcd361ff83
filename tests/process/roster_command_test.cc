// `join` and the roster's commands as people run them.
#include "tests/process/commands.h"

namespace sotto::process_test {
namespace {

class RosterCommandsTest : public CommandsTest {
 protected:
  RosterCommandsTest() {
    run_well(
        "sotto-coordinator init --dir coordinator --name north --endpoint tcp://127.0.0.1:7010");
    for (const std::string name : {"aurora", "borealis", "cascade"})
      run_well("sotto-participant init --dir " + name + " --name " + name);
    run_well(kEnroll +
             " aurora/aurora.card.json borealis/borealis.card.json "
             "cascade/cascade.card.json");
    run_well(kJoin);
  }

  /// Cards of the operator's own making in the place of two members'.
  void exchange_members() {
    run_well("sotto-coordinator remove --dir coordinator borealis cascade");
    for (const std::string name : {"borealis", "cascade"})
      run_well("sotto-participant init --dir false/" + name + " --name " + name);
    run_well(kEnroll + " false/borealis/borealis.card.json false/cascade/cascade.card.json");
  }

  const std::string kEnroll = "sotto-coordinator enroll --dir coordinator";
  const std::string kJoin = "sotto-participant join --dir aurora coordinator/federation.json";
};

TEST_F(RosterCommandsTest, MembersThatTheOperatorExchangedAreRefused) {
  exchange_members();
  const std::string pin = text_of(at("aurora/pinned.json"));
  expect_refused(kJoin, "borealis has other keys than this site has pinned");
  expect_refused(kJoin, "--accept-changed-keys borealis --accept-changed-keys cascade");
  expect_refused(kJoin + " --replace", "cascade has other keys than this site has pinned");
  expect_refused(kJoin + " --accept-changed-keys borealis", "cascade has other keys");
  EXPECT_EQ(text_of(at("aurora/pinned.json")), pin) << "nothing was changed";
  run_well(kJoin + " --accept-changed-keys borealis --accept-changed-keys cascade");
  EXPECT_NE(text_of(at("aurora/audit.jsonl")).find("changed_keys_accepted"), std::string::npos);
  run_well("sotto-participant audit verify aurora");
  run_well(kJoin);
  EXPECT_NE(out().find("nothing has changed"), std::string::npos) << out();
}

TEST_F(RosterCommandsTest, ThePersonAtTheTerminalIsAskedAboutEachMember) {
  exchange_members();
  const std::vector<std::string> join{Federation::participant_binary(), "join", "--dir",
                                      at("aurora"), at("coordinator/federation.json")};
  {
    Typist person(join);
    ASSERT_TRUE(person.wait_for("Type borealis to accept"));
    person.type("borealis\n");
    ASSERT_TRUE(person.wait_for("Type cascade to accept"));
    person.type("y\n");
    EXPECT_EQ(person.status(), 2) << person.screen();
    EXPECT_NE(person.screen().find("in the file: signing key"), std::string::npos);
  }
  EXPECT_EQ(text_of(at("aurora/audit.jsonl")).find("changed_keys_accepted"), std::string::npos)
      << "nothing was accepted, so nothing is written down";
  Typist person(join);
  ASSERT_TRUE(person.wait_for("Type borealis to accept"));
  person.type("borealis\n");
  ASSERT_TRUE(person.wait_for("Type cascade to accept"));
  person.type("cascade\n");
  EXPECT_EQ(person.status(), 0) << person.screen();
}

TEST_F(RosterCommandsTest, ARotatedMemberAndARenewedRosterAreJoinedWithoutAQuestion) {
  run_well("sotto-participant join --dir borealis coordinator/federation.json");
  run_well("sotto-participant keys rotate --dir borealis");
  run_well(kEnroll + " borealis/borealis.card.json");
  run_well(kJoin);
  EXPECT_NE(out().find("new keys: borealis, signed by its old keys"), std::string::npos) << out();
  run_well("sotto-coordinator renew --dir coordinator --days 400");
  EXPECT_NE(out().find("The roster has version 3"), std::string::npos) << out();
  run_well(kJoin);
  EXPECT_NE(out().find("nothing but the version and the expiry has changed"), std::string::npos)
      << out();
  expect_refused("sotto-coordinator renew --dir coordinator --days 0", "--days");
}

}  // namespace
}  // namespace sotto::process_test

// `sotto-participant data import | show | verify`, and a site that trains from what they make.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

class Records : public testing::Test {
 protected:
  Records() {
    std::string pattern = (fs::temp_directory_path() / "sotto-records-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }

  ~Records() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  static std::string source(const std::string& path) {
    return (fs::path(SOTTO_SOURCE_DIR) / path).string();
  }

  [[nodiscard]] std::string at(const std::string& name) const { return (folder_ / name).string(); }

  /// Whether it ended well; what was said lies in out() and err().
  [[nodiscard]] bool participant(const std::string& arguments) const {
    return std::system((Federation::participant_binary() + " " + arguments + " >" + at("out") +
                        " 2>" + at("err"))
                           .c_str()) == 0;
  }

  void make_keys() const {
    ASSERT_TRUE(participant("init --name site --dir " + at("keys"))) << err();
  }

  [[nodiscard]] std::string out() const { return text_of(folder_ / "out"); }

  [[nodiscard]] std::string err() const { return text_of(folder_ / "err"); }

  fs::path folder_;
};

/// The lines of the worked example, one after the other, as they stand.
TEST_F(Records, TheWorkedExampleRunsAsItIsWritten) {
  const std::string runs = at("runs");
  std::ofstream(folder_ / "site.json") << replaced(
      replaced(text_of(source("configs/records/site.json")), "../../runs/records", runs),
      "../quickstart/model", source("configs/quickstart/model"));
  std::istringstream readme(text_of(source("configs/records/README.md")));
  std::size_t count = 0;
  for (std::string line; std::getline(readme, line);) {
    constexpr std::string_view kCommand = "    sotto-participant ";
    if (!line.starts_with(kCommand)) continue;
    std::string command = line.substr(kCommand.size());
    command = replaced(command, "configs/records/site.json", at("site.json"));
    command = replaced(command, "configs/quickstart", source("configs/quickstart"));
    command = replaced(command, "runs/records", runs);
    ASSERT_TRUE(participant(command)) << line << "\n" << err();
    ++count;
  }
  EXPECT_EQ(count, 6U);
  const json result = json::parse(out());
  const json opened = result.at("records_opened");
  EXPECT_GT(opened.at("train"), 1000);
  EXPECT_GT(opened.at("evaluate"), 0);
  EXPECT_GT(opened.at("check"), 0);
  EXPECT_GT(result.at("accuracy"), result.at("accuracy_majority"));
  EXPECT_EQ(text_of(runs + "/train.sotto-records").find("playlist"), std::string::npos);
}

TEST_F(Records, ATableIsImportedAndCheckedByCommand) {
  make_keys();
  std::ofstream(folder_ / "t.csv") << "id,intent,text\n1,A,\"first, secret\"\n2,B,second\n";
  const std::string import = "data import " + at("t.csv") + " --text text --label intent --dir " +
                             at("keys") + " --out " + at("t.sotto-records");
  ASSERT_TRUE(participant(import + " --json")) << err();
  const json made = json::parse(out());
  EXPECT_EQ(made.at("records"), 2);
  EXPECT_EQ(made.at("kind"), "labelled texts");
  const std::string store = at("t.sotto-records") + " --dir " + at("keys");
  ASSERT_TRUE(participant("data show " + store + " --json")) << err();
  const json shown = json::parse(out());
  EXPECT_EQ(shown.at("id"), made.at("id"));
  EXPECT_EQ(shown.at("records"), 2);
  EXPECT_EQ(out().find("secret"), std::string::npos);
  ASSERT_TRUE(participant("data verify " + store)) << err();
  EXPECT_EQ(out(), at("t.sotto-records") + ": 2 records, 0 damaged\n");

  std::string bytes = text_of(at("t.sotto-records"));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(at("t.sotto-records"), std::ios::binary) << bytes;
  EXPECT_FALSE(participant("data verify " + store));
  EXPECT_EQ(err(), at("t.sotto-records") +
                       ": record 2: it fails authentication: the file was damaged or changed\n");
  fs::remove(at("keys/keystore.json"));
  EXPECT_FALSE(participant("data show " + store));
  EXPECT_NE(err().find("keystore.json"), std::string::npos) << err();
  make_keys();
  std::ofstream(folder_ / "x.csv") << "text\nx\n";
  ASSERT_TRUE(participant("data import " + at("x.csv") + " --text text --dir " + at("keys") +
                          " --out " + at("x.sotto-records")));
  EXPECT_FALSE(participant("data show " + store)) << "another key by now";
  EXPECT_NE(err().find("another key"), std::string::npos);
}

TEST_F(Records, AnOlderStoreThatIsPutBackIsRefusedUntilItIsAdopted) {
  make_keys();
  std::ofstream(folder_ / "t.txt") << "one\n";
  const std::string store = at("t.sotto-records"), keys = " --dir " + at("keys");
  const std::string import = "data import --format lines " + at("t.txt") + keys + " --out " + store;
  ASSERT_TRUE(participant(import)) << err();
  fs::copy_file(store, at("older"));
  std::ofstream(folder_ / "t.txt") << "one\ntwo\n";
  EXPECT_FALSE(participant(import)) << "the originals of the store may be gone";
  EXPECT_NE(err().find("exists already"), std::string::npos) << err();
  ASSERT_TRUE(participant(import + " --force")) << err();
  ASSERT_TRUE(participant("data verify " + store + keys)) << err();
  fs::copy_file(at("older"), store, fs::copy_options::overwrite_existing);
  EXPECT_FALSE(participant("data verify " + store + keys));
  EXPECT_NE(err().find("not the record store that was imported here last"), std::string::npos);
  EXPECT_FALSE(participant("data verify " + at("older") + keys)) << "nothing belongs there";
  ASSERT_TRUE(participant("data adopt " + store + keys)) << err();
  EXPECT_TRUE(participant("data verify " + store + keys)) << err();
}

TEST_F(Records, WrongInputIsOneLineWithItsPlaceAndLeavesWhatWasThere) {
  make_keys();
  const std::string bad = "A\tfirst\nA\tsecret";
  std::ofstream(folder_ / "bad.tsv") << bad;
  std::ofstream(folder_ / "out.sotto-records") << "what was there\n";
  const std::string rest =
      at("bad.tsv") + " --dir " + at("keys") + " --force --out " + at("out.sotto-records");
  EXPECT_FALSE(participant("data import " + rest));
  EXPECT_NE(err().find("the name of the file does not tell its format"), std::string::npos);
  EXPECT_FALSE(participant("data import --format labelled " + rest));
  EXPECT_EQ(
      err().find("sotto-participant: " + at("bad.tsv") + ":2:9: the last line has no line break"),
      0U)
      << err();
  EXPECT_FALSE(participant("data import --format labelled " + at("bad.tsv") + " --dir " +
                           at("keys") + " --out " + at("bad.tsv")));
  EXPECT_NE(err().find("never overwritten"), std::string::npos);
  EXPECT_FALSE(participant("data import --format xml " + rest));
  EXPECT_FALSE(participant("data import --format csv " + rest));
  EXPECT_NE(err().find("--text must name the column"), std::string::npos);
  EXPECT_FALSE(participant("data import --format labelled --text t " + rest));
  EXPECT_EQ(text_of(at("bad.tsv")), bad);
  EXPECT_EQ(text_of(at("out.sotto-records")), "what was there\n");
}

TEST_F(Records, AMemberOfAFederationTrainsFromItsStoreAndItsAuditLogSaysHowOften) {
  Federation f(3);
  const fs::path site = f.site(1);
  ASSERT_TRUE(participant("data import " + (site / "train.tsv").string() + " --format labelled" +
                          " --dir " + site.string() + " --out " +
                          (site / "train.sotto-records").string()))
      << err();
  fs::remove(site / "train.tsv");
  json config = json::parse(text_of(site / "site.json"));
  config["data"]["train"] = "train.sotto-records";
  std::ofstream(site / "site.json") << config.dump(2);
  std::vector<Child> members;
  for (int m = 1; m <= 3; ++m)
    members.push_back(f.start_member(m));
  Child coordinator = f.start_coordinator();
  ASSERT_EQ(coordinator.wait(seconds(150)), 0) << f.coordinator_log();
  for (Child& member : members)
    EXPECT_EQ(member.wait(seconds(20)), 0);
  json opened;
  std::istringstream audit(text_of(site / "audit.jsonl"));
  for (std::string line; std::getline(audit, line);)
    if (const json entry = json::parse(line); entry.at("kind") == "records_opened")
      opened = entry.at("fields");
  ASSERT_FALSE(opened.is_null());
  EXPECT_EQ(opened.at("check"), "200") << "each once, when the job was agreed to";
  EXPECT_GT(std::stoi(opened.at("train").get<std::string>()), 0);
  EXPECT_EQ(opened.at("evaluate"), "0") << "the held-out split is a plain file";
}

}  // namespace
}  // namespace sotto::process_test

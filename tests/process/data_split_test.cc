// `sotto-participant data split` as launch.sh runs it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;

class DataSplit : public testing::Test {
 protected:
  DataSplit() {
    std::string pattern = (fs::temp_directory_path() / "sotto-split-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }

  ~DataSplit() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  static std::vector<std::string> lines_of(const fs::path& file) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
      lines.push_back(line);
    return lines;
  }

  /// Returns the exit code; the messages are in the file "log".
  int split_with(std::vector<std::string> options) {
    std::vector<std::string> command{Federation::participant_binary(), "data", "split", "--job",
                                     Federation::job()};
    std::ranges::move(options, std::back_inserter(command));
    return run(command, folder_ / "log");
  }

  fs::path split(const std::string& name, const std::string& seed, const std::string& dirichlet) {
    fs::path out = folder_ / name;
    EXPECT_EQ(run({Federation::participant_binary(), "data", "split", "--job", Federation::job(),
                   "--participants", "8", "--seed", seed, "--dirichlet", dirichlet, "--out", out},
                  folder_ / "log"),
              0);
    return out;
  }

  /// What the shards hold together, sorted.
  static std::vector<std::string> all_of(const fs::path& shards, const char* file) {
    std::vector<std::string> all;
    for (int i = 1; i <= 8; ++i) {
      const auto part = lines_of(shards / ("site-0" + std::to_string(i)) / file);
      EXPECT_FALSE(part.empty()) << i;
      all.insert(all.end(), part.begin(), part.end());
    }
    std::ranges::sort(all);
    return all;
  }

  /// The share of the commonest label among site-01's examples.
  static double commonest(const fs::path& shards) {
    std::map<std::string, int> counts;
    const auto lines = lines_of(shards / "site-01" / "train.tsv");
    int most = 0;
    for (const std::string& line : lines)
      most = std::max(most, ++counts[line.substr(0, line.find('\t'))]);
    return static_cast<double>(most) / static_cast<double>(lines.size());
  }

  fs::path folder_;
};

TEST_F(DataSplit, GivesEveryExampleToExactlyOneShard) {
  const fs::path data = fs::path(Federation::job()).parent_path() / "data";
  const fs::path shards = split("shards", "1", "0.5");
  for (const auto& [shard_file, whole_file] :
       {std::pair{"train.tsv", "train.tsv"}, std::pair{"eval.tsv", "test.tsv"}}) {
    auto whole = lines_of(data / whole_file);
    std::ranges::sort(whole);
    EXPECT_EQ(all_of(shards, shard_file), whole);
  }
}

TEST_F(DataSplit, TheSeedDecidesTheCutAndDirichletTheSkew) {
  const auto first = [](const fs::path& shards) { return lines_of(shards / "site-01/train.tsv"); };
  const fs::path one = split("one", "1", "0.5");
  EXPECT_EQ(first(one), first(split("again", "1", "0.5")));
  EXPECT_NE(first(one), first(split("other", "2", "0.5")));
  EXPECT_GT(commonest(split("skewed", "3", "0.05")), 0.5);
  EXPECT_LT(commonest(split("even", "3", "1000")), 0.25);
}

TEST_F(DataSplit, OddNumbersAreRefusedWithWhatIsAllowed) {
  for (const char* dirichlet : {"0", "-1", "0.001", "1e-300", "nan", "inf"}) {
    EXPECT_EQ(split_with({"--dirichlet", dirichlet, "--out", folder_ / "x"}), 2) << dirichlet;
    EXPECT_NE(lines_of(folder_ / "log").back().find("from 0.01 to 1000000"), std::string::npos);
  }
  EXPECT_EQ(split_with({"--participants", "0", "--out", folder_ / "x"}), 2);
  EXPECT_EQ(split_with({"--participants", "100000", "--out", folder_ / "x"}), 2);
  EXPECT_NE(lines_of(folder_ / "log").back().find("100000 shards need at least as many"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

TEST_F(DataSplit, TheShardsOfAnEarlierSplitAreReplacedOnRequestAndNotMixed) {
  const fs::path out = split("shards", "1", "0.5");
  const auto before = lines_of(out / "site-01/train.tsv");
  std::ofstream(out / "site-07/notes.txt") << "mine\n";
  EXPECT_EQ(split_with({"--participants", "4", "--out", out}), 2);
  EXPECT_NE(lines_of(folder_ / "log").back().find("holds files already"), std::string::npos);
  EXPECT_EQ(lines_of(out / "site-01/train.tsv"), before);
  EXPECT_EQ(split_with({"--participants", "4", "--out", out, "--force"}), 0);
  EXPECT_FALSE(fs::exists(out / "site-05"));
  EXPECT_FALSE(fs::exists(out / "site-07/train.tsv"));
  EXPECT_TRUE(fs::exists(out / "site-07/notes.txt"));
}

TEST_F(DataSplit, TakesTheColumnsOfATable) {
  std::ofstream(folder_ / "all.csv") << "id;question;kind\n1;\"play\nit\";PlayMusic\n"
                                        "2;rain?;GetWeather\n";
  const std::string csv = folder_ / "all.csv";
  EXPECT_EQ(split_with({"--train", csv, "--evaluation", csv, "--text", "question", "--label",
                        "kind", "--participants", "1", "--out", folder_ / "one"}),
            0);
  auto lines = lines_of(folder_ / "one/site-01/train.tsv");
  std::ranges::sort(lines);
  EXPECT_EQ(lines, (std::vector<std::string>{"GetWeather\train?", "PlayMusic\tplay it"}));
}

TEST_F(DataSplit, AResultThatCannotBeWrittenIsNoSuccess) {
  const std::string command = Federation::participant_binary() + " --version";
  EXPECT_EQ(std::system((command + " >/dev/null").c_str()), 0);
  EXPECT_NE(std::system((command + " >/dev/full 2>/dev/null").c_str()), 0);
}

}  // namespace
}  // namespace sotto::process_test

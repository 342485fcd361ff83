// `sotto-participant privacy` as a person and as a script run it.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/config/parse.h"
#include "common/job/privacy_statement.h"
#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class PrivacyCommand : public testing::Test {
 protected:
  PrivacyCommand() {
    std::string pattern = (fs::temp_directory_path() / "sotto-privacy-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }

  ~PrivacyCommand() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  static std::string text_of(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  /// Exit code; what was said lies in out().
  int privacy(const std::string& arguments) const {
    const std::string line = Federation::participant_binary() + " privacy " + arguments + " >" +
                             out().string() + " 2>" + (folder_ / "err").string();
    return std::system(line.c_str());
  }

  [[nodiscard]] fs::path out() const { return folder_ / "out"; }

  fs::path folder_;
};

// The published figure for a geometric number of tries, ten on average.
TEST_F(PrivacyCommand, TriesAreOneFigureMoreAndNoneIsAsked) {
  const std::string run = "--sampling-rate 0.01 --noise-multiplier 1 --steps 1000 --json";
  ASSERT_EQ(privacy(run + " --tries 10"), 0);
  EXPECT_NEAR(json::parse(text_of(out())).at("epsilon_of_tries").get<double>(), 4.10327, 1e-3);
  ASSERT_EQ(privacy(run), 0);
  EXPECT_TRUE(json::parse(text_of(out())).at("epsilon_of_tries").is_null());
  EXPECT_NE(privacy(run + " --tries 1"), 0);
  EXPECT_NE(text_of(folder_ / "err").find("the mean number of tries"), std::string::npos);
}

TEST_F(PrivacyCommand, ABatchIsAnsweredInOrderAndABadLineStopsNothing) {
  std::ofstream(folder_ / "in")
      << R"({"sampling_rate":0.01,"noise_multiplier":1,"steps":1000,"delta":1e-5})"
      << "\n\n"
      << "nonsense\n"
      << R"({"sampling_rate":0.01,"target_epsilon":2,"steps":1000,"delta":1e-5})"
      << "\n"
      << R"({"accountant":"rdp","sampling_rate":0.01,"noise_multiplier":1,"steps":1000,)"
      << R"("delta":1e-5})";  // no end of line after the last
  ASSERT_EQ(privacy("--batch <" + (folder_ / "in").string()), 0);
  std::ifstream in(out());
  std::vector<json> answers;
  for (std::string line; std::getline(in, line);)
    answers.push_back(json::parse(line));
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_NEAR(double{answers[0].at("epsilon")}, 1.828, 2e-3);
  EXPECT_EQ(answers[1].at("error"), "line 3: the line is not a JSON object");
  EXPECT_NEAR(double{answers[2].at("noise_multiplier")}, 0.959, 2e-3);
  EXPECT_NEAR(double{answers[3].at("epsilon")}, 2.1014, 1e-3);
}

TEST_F(PrivacyCommand, AJobKeepsToItsTargetAndNamesItsAdjacency) {
  ASSERT_EQ(privacy(Federation::job() + " --json"), 0);
  const json found = json::parse(text_of(out()));
  EXPECT_LE(double{found.at("epsilon")}, 8);
  EXPECT_GT(double{found.at("epsilon")}, 7.9);
  EXPECT_GT(double{found.at("epsilon_rdp")}, 8);
  EXPECT_EQ(found.at("adjacency"), "add or remove one example");
}

// With the declared size that was given, as JSON and for people.
TEST_F(PrivacyCommand, AJobIsAnsweredWithItsPrivacyStatement) {
  const auto statement =
      job::privacy_statement(config::load_job(Federation::job()), {.declared_units = 3000});
  ASSERT_EQ(privacy(Federation::job() + " --examples 3000 --json"), 0);
  EXPECT_EQ(json::parse(text_of(out())).at("privacy_statement").dump(), job::to_json(statement));
  ASSERT_EQ(privacy(Federation::job() + " --examples 3000"), 0);
  EXPECT_NE(text_of(out()).find(job::to_text(statement)), std::string::npos);
}

TEST_F(PrivacyCommand, ARunWithoutAJobIsAnsweredWithWhatHoldsForEveryJob) {
  ASSERT_EQ(privacy("--sampling-rate 0.1 --noise-multiplier 2 --steps 100 --json"), 0);
  EXPECT_EQ(json::parse(text_of(out())).at("privacy_statement")[0]["text"],
            job::general_privacy_statement());
}

TEST_F(PrivacyCommand, DrawsAndWarnsOfADeltaThatIsTooLarge) {
  const std::string svg = (folder_ / "plot.svg").string();
  ASSERT_EQ(privacy("--sampling-rate 0.1 --noise-multiplier 2 --steps 100 --delta 1e-3 "
                    "--examples 1000 --plot " +
                    svg),
            0);
  EXPECT_NE(text_of(folder_ / "err").find("warning: delta"), std::string::npos);
  EXPECT_EQ(text_of(svg).rfind("<svg", 0), 0U);
  EXPECT_NE(text_of(out()).find("for adding or removing one example"), std::string::npos);
}

TEST_F(PrivacyCommand, RefusesHalfAQuestion) {
  EXPECT_NE(privacy("--sampling-rate 0.1 --steps 100"), 0);
  EXPECT_NE(text_of(folder_ / "err").find("--noise-multiplier"), std::string::npos);
  EXPECT_NE(privacy("--sampling-rate 7 --steps 100 --noise-multiplier 1"), 0);
  EXPECT_NE(text_of(folder_ / "err").find("sampling rate"), std::string::npos);
}

}  // namespace
}  // namespace sotto::process_test

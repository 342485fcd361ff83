// The report of a run (coordinator/observability/report.h): its privacy statement is that of the
// job.
#include "coordinator/observability/report.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/config/parse.h"
#include "common/job/privacy_statement.h"
#include "tests/common/config/samples.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

using nlohmann::json;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A run's folder with two finished rounds of the job, the second with epsilon 3.5.
config::JobConfig finished_run(const std::filesystem::path& folder,
                               std::vector<std::string> overrides) {
  for (const char* file : {"config", "vocab"})  // a job as it ran names its model's files
    overrides.push_back("model." + std::string(file) + "_hash=" + to_hex(Bytes32{1}));
  const auto job =
      std::get<config::JobConfig>(config::parse_job(config::samples::kJob, "job.json", overrides));
  std::ofstream(folder / "job.json") << job.canonical << "\n";
  std::ofstream metrics(folder / "metrics.jsonl");
  for (int round = 1; round <= 2; ++round)
    metrics << json{{"status", "done"},
                    {"server_round", round},
                    {"phase_s", json::object()},
                    {"cohort", 4},
                    {"survivors", 4},
                    {"wall_s", 1.5},
                    {"epsilon", 2.5 + 0.5 * round}}
                   .dump()
            << "\n";
  return job;
}

TEST(Report, TheSummaryHoldsThePrivacyStatementOfItsJob) {
  const TemporaryDirectory folder;
  const auto job = finished_run(folder.path(), {});
  (void)make_report({.run = folder.path()});
  const json summary = json::parse(text_of(folder / "summary.json"));
  EXPECT_EQ(summary["privacy_statement"].dump(),
            run::to_json(run::privacy_statement(job, {.epsilon_spent = 3.5})));
  EXPECT_TRUE(summary["participant_privacy_statement"].is_null());
}

TEST(Report, ThePageShowsTheStatementFromTheSummaryAndHasNoTextOfItsOwn) {
  const TemporaryDirectory folder;
  const auto job = finished_run(folder.path(), {});
  (void)make_report({.run = folder.path()});
  const std::string page = text_of(folder / "report.html");
  for (const auto& paragraph : run::privacy_statement(job, {.epsilon_spent = 3.5})) {
    const std::string text = json(paragraph.text).dump();
    EXPECT_NE(page.find(text), std::string::npos) << text;
  }
  EXPECT_NE(page.find("of s.privacy_statement"), std::string::npos);
}

TEST(Report, WithNoiseInsideTheSumsTheParticipantsGuaranteeIsTheStatements) {
  const TemporaryDirectory folder;
  const auto job = finished_run(folder.path(), {"distributed_privacy.enabled=true"});
  (void)make_report({.run = folder.path()});
  const json summary = json::parse(text_of(folder / "summary.json"));
  EXPECT_EQ(summary["participant_privacy_statement"], run::participant_statement(job).text);
}

}  // namespace
}  // namespace sotto::coordinator

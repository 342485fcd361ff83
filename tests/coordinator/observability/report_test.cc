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
            job::to_json(job::privacy_statement(job, {.epsilon_spent = 3.5})));
  EXPECT_TRUE(summary["participant_privacy_statement"].is_null());
}

TEST(Report, TheEpsilonOfTheRunNeedsNoLedgerAndIsNotThatOfTheDataSet) {
  const TemporaryDirectory folder;
  (void)finished_run(folder.path(), {});
  const Report without = make_report({.run = folder.path()});
  EXPECT_EQ(json::parse(without.summary_json)["epsilon"], 3.5);
  EXPECT_NE(without.table.find(
                "  this run                                           3.500  delta 1e-05\n"),
            std::string::npos)
      << without.table;

  const auto ledger = folder / "ledger.json";
  std::ofstream(ledger) << R"({"dataset_id":"tickets","epsilon":5.217,"delta":1e-5,)"
                        << R"("participant_epsilon":null})";
  const Report with = make_report({.run = folder.path(), .ledgers = {ledger}});
  const json summary = json::parse(with.summary_json);
  EXPECT_EQ(summary["epsilon"], 3.5);
  EXPECT_EQ(summary["ledger_epsilons"]["tickets"]["epsilon"], 5.217);
  EXPECT_NE(
      with.table.find("  tickets, all runs, by its ledger                   5.217  delta 1e-05\n"),
      std::string::npos)
      << with.table;
}

TEST(Report, WithoutDifferentialPrivacyTheRunIsUnbounded) {
  const TemporaryDirectory folder;
  (void)finished_run(folder.path(), {"differential_privacy.enabled=false"});
  const Report report = make_report({.run = folder.path()});
  EXPECT_NE(report.table.find("unbounded (no differential privacy)"), std::string::npos)
      << report.table;
}

TEST(Report, ThePageShowsTheStatementFromTheSummaryAndHasNoTextOfItsOwn) {
  const TemporaryDirectory folder;
  const auto job = finished_run(folder.path(), {});
  (void)make_report({.run = folder.path()});
  const std::string page = text_of(folder / "report.html");
  for (const auto& paragraph : job::privacy_statement(job, {.epsilon_spent = 3.5})) {
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
  EXPECT_EQ(summary["participant_privacy_statement"], job::participant_statement(job).text);
}

/// Adds an evaluated round, and the result of a participant alone.
Report report_of(const std::filesystem::path& folder, const std::vector<std::string>& overrides,
                 const json& evaluation, const json& alone) {
  (void)finished_run(folder, overrides);
  std::ofstream(folder / "metrics.jsonl", std::ios::app)
      << json{{"status", "done"},           {"server_round", 3}, {"phase_s", json::object()},
              {"closing_evaluation", true}, {"cohort", 4},       {"evaluated_round", 2},
              {"evaluation", evaluation},   {"wall_s", 2}}
             .dump()
      << "\n";
  std::ofstream(folder / "alone.json") << alone.dump();
  return make_report({.run = folder, .alone = {folder / "alone.json"}});
}

TEST(Report, TheTableHasTheTwoFiguresOfTheTaskAndItsConstantAnswer) {
  const TemporaryDirectory folder;
  const Report classes =
      report_of(folder.path(), {}, {{"accuracy", 0.75}, {"loss", 0.5}, {"macro_f1", 0.7}},
                {{"accuracy", 0.6}, {"macro_f1", 0.5}, {"accuracy_majority", 0.25}});
  EXPECT_NE(classes.table.find(
                "  held-out                                        accuracy    macro F1\n"
                "  federation, private                               75.0 %      70.0 %\n"
                "  local-only baseline, same privacy (mean)          60.0 %      50.0 %\n"
                "  majority class of each participant (mean)         25.0 %           –\n"),
            std::string::npos)
      << classes.table;
  const json summary = json::parse(classes.summary_json);
  EXPECT_EQ(summary["accuracy"], 0.75);
  EXPECT_EQ(summary["macro_f1_alone"], 0.5);
  EXPECT_EQ(summary["accuracy_majority"], 0.25);
  EXPECT_TRUE(summary["accuracy_non_private"].is_null());
  EXPECT_TRUE(summary["perplexity"].is_null());

  const Report language = report_of(
      folder.path(), {"task.type=causal_language_modeling", "task.labels=[]"},
      {{"accuracy", 0.25}, {"loss", 1.5}, {"macro_f1", 0}, {"perplexity", 4.5}}, json::object());
  EXPECT_NE(language.table.find("accuracy  perplexity\n"), std::string::npos) << language.table;
  EXPECT_NE(language.table.find("25.0 %        4.50\n"), std::string::npos) << language.table;
  EXPECT_EQ(language.table.find("local-only"), std::string::npos) << language.table;

  const Report numbers = report_of(
      folder.path(), {"task.type=sequence_regression", "task.labels=[]", "task.target_max=5"},
      {{"loss", 0.0312}, {"r_squared", 0.9}, {"mean_absolute_error", 0.1}},
      {{"loss", 0.5}, {"r_squared", 0.25}, {"loss_mean_target", 1.25}});
  EXPECT_NE(
      numbers.table.find(
          "  held-out                                        mean squared error         R^2\n"
          "  federation, private                                         0.0312         0.9\n"
          "  local-only baseline, same privacy (mean)                       0.5        0.25\n"
          "  mean target of each participant (mean)                        1.25           –\n"),
      std::string::npos)
      << numbers.table;
}

}  // namespace
}  // namespace sotto::coordinator

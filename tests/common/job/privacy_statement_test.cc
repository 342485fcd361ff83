// The privacy statement (common/job/privacy_statement.h): what it says of a job, and that documents
// and commands say the same.
#include "common/job/privacy_statement.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/config/parse.h"
#include "common/crypto/hash.h"
#include "common/job/public_epsilon.h"
#include "common/privacy/accounting/group_privacy.h"
#include "participant/admission/explanation.h"
#include "tests/common/config/samples.h"

namespace sotto::job {
namespace {

namespace fs = std::filesystem;

/// With a sampling rate and a fixed noise multiplier: every figure follows from the job.
config::JobConfig public_job() {
  config::JobConfig job;
  job.name = "intents";
  job.model.max_length = 32;
  job.task = {.type = "sequence_classification", .labels = {"yes", "no"}};
  job.rounds.num_server_rounds = 20;
  job.local_training.local_steps = 5;
  job.local_training.sampling_rate = 0.01;
  job.differential_privacy.noise_multiplier = 1;
  return job;
}

/// The sampling rate follows from the declared size, the noise is calibrated at each site.
config::JobConfig calibrated_job() {
  config::JobConfig job = public_job();
  job.local_training.sampling_rate = 0;
  job.local_training.expected_batch_size = 64;
  job.differential_privacy.noise_multiplier = 0;
  return job;
}

std::string shown(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

/// Of the paragraph with this title; empty when there is none.
std::string text_of(const std::vector<StatementParagraph>& statement, std::string_view title) {
  for (const StatementParagraph& paragraph : statement)
    if (paragraph.title == title) return paragraph.text;
  return {};
}

std::string text_of(const config::JobConfig& job, std::string_view title,
                    const StatementFacts& facts = {}) {
  return text_of(privacy_statement(job, facts), title);
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

constexpr std::string_view kUnit = "Definition of a training example";
constexpr std::string_view kFigures = "Epsilon and delta of this job";
constexpr std::string_view kPerson = "Persons with more than one training example";
constexpr std::string_view kNeighbours = "Neighbouring data sets";

TEST(PrivacyStatement, EveryTaskSaysWhatOneTrainingExampleIs) {
  config::JobConfig job = public_job();
  EXPECT_TRUE(holds(text_of(job, kUnit), "one labelled text"));
  EXPECT_TRUE(holds(text_of(job, kUnit), "truncated to 32 tokens"));
  job.task.type = "causal_language_modeling";
  EXPECT_TRUE(holds(text_of(job, kUnit), "one line of text"));
  job.task.type = "token_classification";
  EXPECT_TRUE(holds(text_of(job, kUnit), "one sentence"));
}

TEST(PrivacyStatement, BeginsWithWhatHoldsForEveryPrivateJob) {
  const auto statement = privacy_statement(public_job());
  EXPECT_EQ(statement.front().text, general_privacy_statement());
  EXPECT_TRUE(holds(statement.front().text, "add or remove one"));
}

TEST(PrivacyStatement, NamesEpsilonAndDeltaOfAllSteps) {
  const config::JobConfig job = public_job();
  const auto steps = covered_steps_of(job, std::nullopt).value();
  ASSERT_TRUE(steps.has_value());
  EXPECT_EQ(steps->steps, 100U);
  const double epsilon = privacy::epsilon_of(*steps, 1e-5).value();
  const std::string text = text_of(job, kFigures);
  EXPECT_TRUE(holds(text, "all 100 steps of the 20 rounds")) << text;
  EXPECT_TRUE(holds(text, "(epsilon " + shown(epsilon) + ", delta 1e-05)")) << text;
  EXPECT_TRUE(holds(text_of(calibrated_job(), kFigures), "(epsilon 8, delta 1e-05)"));
  EXPECT_TRUE(holds(text_of(job, kFigures, {.epsilon_spent = 0.125}), "reached epsilon 0.125"));
}

TEST(PrivacyStatement, SpareRoundsAreWithinTheFigure) {
  config::JobConfig job = calibrated_job();
  EXPECT_TRUE(holds(text_of(job, kFigures), "may therefore exceed this figure"));
  job.differential_privacy.spare_rounds = 4;
  const std::string text = text_of(job, kFigures);
  EXPECT_TRUE(holds(text, "of the 20 rounds and of 4 spare rounds")) << text;
  EXPECT_TRUE(holds(text, "The figure covers 4 such rounds")) << text;
  EXPECT_TRUE(holds(text, "(epsilon 8, delta 1e-05)")) << text;
}

TEST(PrivacyStatement, EpsilonThatNeedsTheDeclaredSizeIsNotMadeUp) {
  config::JobConfig job = calibrated_job();
  job.differential_privacy.noise_multiplier = 1;
  EXPECT_TRUE(holds(text_of(job, kFigures), "follows from the sampling rate"));
  EXPECT_TRUE(holds(text_of(job, kPerson), "follow from the declared size"));
  const privacy::DpSgdSteps steps{.sampling_rate = 0.064, .noise_multiplier = 1, .steps = 100};
  EXPECT_TRUE(holds(text_of(job, kFigures, {.declared_units = 1000}),
                    "(epsilon " + shown(privacy::epsilon_of(steps, 1e-5).value()) + ","));
}

TEST(PrivacyStatement, APersonWithSeveralExamplesGetsTheFiguresOfTheAccountant) {
  const config::JobConfig job = public_job();
  const privacy::DpSgdSteps steps{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 100};
  const double two = privacy::epsilon_of_person(steps, 2, 1e-5).value();
  EXPECT_GT(two, privacy::epsilon_of(steps, 1e-5).value());
  const std::string text = text_of(job, kPerson);
  EXPECT_TRUE(holds(text, "2 examples: epsilon " + shown(two) + " at delta 1e-05")) << text;
  EXPECT_TRUE(holds(text, "10 examples: epsilon ")) << text;
  EXPECT_TRUE(holds(text, "40 examples: epsilon above 20")) << text;
}

TEST(PrivacyStatement, WithoutTheDeclaredSizeThePersonGetsTheGeneralBound) {
  const auto bound = privacy::general_group_bound(8, 1e-5, 2);
  const std::string general = text_of(calibrated_job(), kPerson);
  EXPECT_TRUE(holds(general, "2 examples: epsilon 16 at delta " + shown(bound.delta))) << general;
  EXPECT_TRUE(holds(general, "10 examples: no useful bound")) << general;
  const std::string exact = text_of(calibrated_job(), kPerson, {.declared_units = 4000});
  EXPECT_TRUE(holds(exact, "2 examples: epsilon ")) << exact;
  EXPECT_TRUE(holds(exact, "at delta 1e-05")) << exact;
}

TEST(PrivacyStatement, TheDeclaredSizeIsNamedWhereItIsKnown) {
  EXPECT_TRUE(holds(text_of(public_job(), kNeighbours, {.declared_units = 3446}),
                    "declared size of this data set is 3446"));
  EXPECT_FALSE(holds(text_of(public_job(), kNeighbours), "of this data set is"));
  EXPECT_TRUE(holds(text_of(public_job(), kNeighbours), "zero-out"));
}

TEST(PrivacyStatement, AJobThatProtectsPersonsSaysSoInEveryParagraph) {
  config::JobConfig job = calibrated_job();
  job.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
  job.differential_privacy.examples_per_person = 12;
  const auto statement = privacy_statement(job, {.declared_units = 800});
  EXPECT_EQ(statement.front().text, general_privacy_statement(privacy::ProtectedUnit::kPerson));
  const std::string unit = text_of(statement, "Definition of a person");
  EXPECT_TRUE(holds(unit, "at most 12 examples")) << unit;
  EXPECT_TRUE(holds(unit, "one labelled text")) << unit;
  EXPECT_TRUE(holds(text_of(statement, kNeighbours), "persons of this data set is 800"));
  EXPECT_TRUE(holds(text_of(statement, kFigures),
                    "For one person (with at most 12 training examples of hers), all 100 steps"));
  EXPECT_EQ(text_of(statement, kUnit), "");
  EXPECT_EQ(text_of(statement, kPerson), "") << "group privacy is about examples";
  EXPECT_TRUE(holds(text_of(statement, "If the masks are broken"), "guarantee for one person"));
  EXPECT_TRUE(holds(text_of(statement, "The guarantee for a whole participant"), "participant"));
  EXPECT_FALSE(holds(to_text(statement), "one training example,"));
  EXPECT_TRUE(holds(statement_audit_fields(job)[0].second, "for one person"));
  // The sampling rate follows from the number of persons.
  job.differential_privacy.noise_multiplier = 1;
  const privacy::DpSgdSteps steps{.sampling_rate = 0.08, .noise_multiplier = 1, .steps = 100};
  EXPECT_TRUE(holds(text_of(job, kFigures, {.declared_units = 800}),
                    "(epsilon " + shown(privacy::epsilon_of(steps, 1e-5).value()) + ","));
}

TEST(PrivacyStatement, AJobWithoutDifferentialPrivacyHasNoGuarantee) {
  config::JobConfig job = public_job();
  job.differential_privacy.enabled = false;
  const auto statement = privacy_statement(job);
  EXPECT_TRUE(holds(statement.front().text, "without differential privacy"));
  EXPECT_EQ(text_of(statement, kFigures), "");
  EXPECT_EQ(text_of(statement, kPerson), "");
  EXPECT_TRUE(holds(text_of(statement, "If the masks are broken"), "No bound limits"));
  EXPECT_FALSE(holds(to_text(statement), "still holds"));
}

TEST(PrivacyStatement, AParticipantAsAWholeHasItsOwnGuaranteeOnlyWithNoiseInsideTheSums) {
  constexpr std::string_view kWhole = "The guarantee for a whole participant";
  config::JobConfig job = public_job();
  EXPECT_TRUE(holds(text_of(job, kWhole), "no guarantee"));
  job.distributed_privacy.enabled = true;
  job.distributed_privacy.target_epsilon = 6;
  job.secure_aggregation.max_colluders = 2;
  EXPECT_TRUE(holds(text_of(job, kWhole), "(epsilon 6, delta 1e-05)"));
  EXPECT_TRUE(holds(text_of(job, kWhole), "at most 2 other participants"));
  EXPECT_TRUE(
      holds(text_of(job, "If the masks are broken"), "only while the masks are not broken"));
  job.distributed_privacy.noise_multiplier = 1.5;
  EXPECT_TRUE(holds(text_of(job, kWhole), "noise multiplier 1.5"));
}

TEST(PrivacyStatement, SaysWhatIsNotCovered) {
  const std::string text = text_of(public_job(), "Exclusions");
  for (const char* part : {"evaluation split", "takes part", "declared sizes and labels", "ledger"})
    EXPECT_TRUE(holds(text, part)) << part;
  EXPECT_TRUE(holds(text, "must therefore contain no record that needs protection"));
  config::JobConfig noisy = public_job();
  noisy.evaluation.counter_noise_multiplier = 30;
  EXPECT_TRUE(
      holds(text_of(noisy, "Exclusions"), "-differentially private for one example of the split"));
  config::JobConfig open = public_job();
  open.secure_aggregation.enabled = false;
  EXPECT_TRUE(holds(text_of(open, "If the masks are broken"), "every single site"));
}

TEST(PrivacyStatement, TheTimeOfAnswersIsAChannelUnlessTheyLeaveAtFixedTimes) {
  constexpr std::string_view kTime = "The timing of answers";
  EXPECT_TRUE(holds(text_of(public_job(), kTime), "does not cover this timing channel"));
  EXPECT_TRUE(holds(text_of(public_job(), kTime), "policy.answer_every_s"));
  config::JobConfig job = public_job();
  job.rounds.answer_every_s = 60;
  EXPECT_TRUE(holds(text_of(job, kTime), "multiples of 60 seconds"));
  EXPECT_FALSE(holds(text_of(job, kTime), "does not cover"));
  EXPECT_TRUE(holds(text_of(job, kTime, {.answer_every_s = 90}), "multiples of 90 seconds"));
  EXPECT_TRUE(holds(text_of(public_job(), kTime, {.answer_every_s = 90}), "90 seconds"));
}

TEST(PrivacyStatement, ItsTextHasTheWidthThatWasAskedForAndLosesNoWord) {
  const auto statement = privacy_statement(public_job());
  std::istringstream lines(to_text(statement, 60));
  std::string joined, expected;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 60U) << line;
    joined += (line.starts_with("  ") ? line.substr(2) : line) + " ";
  }
  for (const StatementParagraph& paragraph : statement)
    expected += paragraph.title + " " + paragraph.text + " ";
  EXPECT_EQ(joined, expected);
  for (const char c : expected)
    ASSERT_TRUE(c >= 0x20 && c < 0x7f) << "plain ASCII on one line";
}

TEST(PrivacyStatement, IsTheSameTextForTheSameJobAndItsHashFollowsEveryParagraph) {
  const auto statement = privacy_statement(public_job());
  EXPECT_EQ(statement, privacy_statement(public_job()));
  EXPECT_EQ(statement_hash(statement),
            crypto::hash("SOTTO statement", {view_of(to_text(statement))}));
  for (std::size_t i = 0; i < statement.size(); ++i) {
    auto changed = statement;
    changed[i].text += " ";
    changed[i].text += "More.";
    EXPECT_NE(statement_hash(changed), statement_hash(statement)) << changed[i].title;
  }
}

TEST(PrivacyStatement, AnAuditLogHoldsItsHashAndOneSentence) {
  const auto fields = statement_audit_fields(public_job());
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(fields[0].first, "privacy");
  EXPECT_TRUE(holds(fields[0].second, "one labelled text"));
  EXPECT_TRUE(holds(fields[0].second, "delta 1e-05"));
  EXPECT_EQ(fields[1].first, "privacy_statement_hash");
  EXPECT_EQ(fields[1].second, to_hex(statement_hash(privacy_statement(public_job()))));
  config::JobConfig job = public_job();
  job.differential_privacy.enabled = false;
  EXPECT_TRUE(holds(statement_audit_fields(job)[0].second, "no differential privacy"));
}

TEST(PrivacyStatement, ItsJsonHasEveryParagraph) {
  const auto statement = privacy_statement(public_job());
  const auto json = nlohmann::json::parse(to_json(statement));
  ASSERT_EQ(json.size(), statement.size());
  for (std::size_t i = 0; i < statement.size(); ++i) {
    EXPECT_EQ(json[i]["title"], statement[i].title);
    EXPECT_EQ(json[i]["text"], statement[i].text);
  }
}

/// On one line, without the marks of a quotation.
std::string unwrapped(const fs::path& file) {
  std::ifstream in(file);
  EXPECT_TRUE(in.good()) << file;
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("> ")) line.erase(0, 2);
    std::istringstream words(line);
    for (std::string word; words >> word;)
      out += word + " ";
  }
  return out;
}

TEST(PrivacyStatement, TheDocumentsContainItWordForWord) {
  const fs::path docs = fs::path(SOTTO_SOURCE_DIR) / "docs";
  for (const char* name : {"privacy.md", "threat-model.md"})
    EXPECT_TRUE(holds(unwrapped(docs / name), general_privacy_statement()))
        << name << " must contain:\n"
        << general_privacy_statement();
  const auto persons = general_privacy_statement(privacy::ProtectedUnit::kPerson);
  EXPECT_TRUE(holds(unwrapped(docs / "privacy.md"), persons)) << persons;
}

// `policy explain` says for people and as JSON what the function says, with the declared size.
TEST(PrivacyStatement, ExplainPrintsIt) {
  const config::JobConfig job = calibrated_job();
  config::SiteConfig site;
  site.data.training_examples = 4000;
  site.policy.answer_every_s = 30;
  participant::Assessment assessment;
  const participant::ExplainedJob explained{.job = job, .site = site, .assessment = assessment};
  const auto statement = privacy_statement(job, {.declared_units = 4000, .answer_every_s = 30});
  const std::string text = participant::describe(explained).value();
  EXPECT_TRUE(holds(text, to_text(statement))) << text;
  const auto json = nlohmann::json::parse(participant::to_json(explained).value());
  EXPECT_EQ(json["privacy_statement"].dump(), to_json(statement));
}

}  // namespace
}  // namespace sotto::job

// Sequence regression without torch: the job's rules, labels, counters and figures.
#include "common/tasks/sequence_regression.h"

#include <cmath>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "common/job/evaluation_bounds.h"
#include "tests/common/config/samples.h"

namespace sotto::tasks {
namespace {

using config::samples::kJob;
using config::samples::with;

const std::string kRegression =
    with(kJob, R"({"type": "sequence_classification", "labels": ["yes", "no"]})",
         R"({"type": "sequence_regression", "target_min": -2, "target_max": 6})");

config::JobConfig parsed(std::string_view text) {
  const auto result = config::parse_job(text, "job.json");
  const auto* errors = std::get_if<config::ConfigErrors>(&result);
  EXPECT_EQ(errors, nullptr) << (errors != nullptr ? errors->joined() : "");
  return errors == nullptr ? std::get<config::JobConfig>(result) : config::JobConfig{};
}

std::string error_of(std::string_view text) {
  const auto result = config::parse_job(text, "job.json");
  const auto* errors = std::get_if<config::ConfigErrors>(&result);
  return errors == nullptr ? "" : errors->joined();
}

SequenceRegression task() {
  return SequenceRegression({.type = "sequence_regression", .target_min = -2, .target_max = 6}, 16);
}

TEST(SequenceRegression, TheRangeIsPartOfTheCanonicalJobOfThisTaskAlone) {
  const std::string with_hashes = with(kRegression, "\"path\": \"model\"",
                                       "\"config_hash\": \"" + to_hex(Bytes32{1}) +
                                           "\", \"vocab_hash\": \"" + to_hex(Bytes32{2}) + "\"");
  const std::string canonical = parsed(with_hashes).canonical;
  EXPECT_NE(canonical.find(R"("target_max":6,"target_min":-2)"), std::string::npos) << canonical;
  EXPECT_EQ(parsed(canonical).hash, parsed(with_hashes).hash);
  EXPECT_EQ(parsed(kJob).canonical.find("target_min"), std::string::npos);
}

TEST(SequenceRegression, TheJobNeedsARangeAndHasNoLabels) {
  EXPECT_NE(error_of(with(kRegression, "\"target_max\": 6", "\"target_max\": -2"))
                .find("$.task.target_max: found -2; needed: a number above task.target_min"),
            std::string::npos);
  EXPECT_NE(
      error_of(with(kRegression, "\"target_max\": 6", "\"target_max\": 6, \"labels\": [\"a\"]"))
          .find("$.task.labels: sequence regression has no labels"),
      std::string::npos);
  EXPECT_NE(error_of(with(kJob, "\"labels\"", "\"target_max\": 6, \"labels\""))
                .find("$.task.target_max: the task \"sequence_classification\" does not have this"),
            std::string::npos);
  EXPECT_NE(
      error_of(with(kRegression, "\"name\"", "\"stopping\": {\"metric\": \"accuracy\"}, \"name\""))
          .find("which is not a metric of this task"),
      std::string::npos);
  EXPECT_EQ(error_of(with(kRegression, "\"name\"",
                          "\"stopping\": {\"metric\": \"r_squared\"}, \"name\"")),
            "");
}

TEST(SequenceRegression, ALabelIsANumberThatIsClippedToTheRange) {
  const SequenceRegression t = task();
  for (const auto& [text, target] : {std::pair{"0.5", 0.5}, {"-1e9", -2.0}, {"7", 6.0}})
    EXPECT_NEAR(t.target(t.label_number(text).value()), target, 8.0 / (1 << 24)) << text;
  for (const char* text : {"", "yes", "nan", "inf", "-inf", "1 ", "0x1", "1,5"})
    EXPECT_FALSE(t.label_number(text).has_value()) << text;
  for (const std::int64_t label :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{8388609}, SequenceRegression::kSteps})
    EXPECT_EQ(t.label_number(t.label_text(label)), label);
}

/// Against the definitions, over examples within the range.
TEST(SequenceRegression, FiguresAreThoseOfTheDefinitions) {
  const SequenceRegression t = task();
  crypto::StreamRandom random(3);
  CounterSums sums = t.zero_sums();
  std::vector<double> targets, errors;
  double mean = 0;
  constexpr int kExamples = 500;
  for (int i = 0; i < kExamples; ++i) {
    const auto label = static_cast<std::int64_t>(random.below(1 << 24));
    const double prediction = std::clamp(t.target(label) + random.unit() - 0.5, -2.0, 6.0);
    t.count(sums, label, prediction);
    targets.push_back(t.target(label));
    errors.push_back(prediction - t.target(label));
    mean += targets.back() / kExamples;
  }
  double squares = 0, absolutes = 0, deviations = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    squares += errors[i] * errors[i];
    absolutes += std::abs(errors[i]);
    deviations += (targets[i] - mean) * (targets[i] - mean);
  }
  const Evaluation e = t.summarise(t.in_steps(sums), exact);
  // A sum is rounded to steps of 2^-14 of the range, once.
  EXPECT_NEAR(e.value("loss"), squares / kExamples, 64 * 0x1p-14 / kExamples);
  EXPECT_NEAR(e.value("mean_absolute_error"), absolutes / kExamples, 8 * 0x1p-14 / kExamples);
  EXPECT_NEAR(e.value("r_squared"), 1 - squares / deviations, 1e-5);
  EXPECT_EQ(e.headline.name, "loss");
  EXPECT_EQ(e.units, 500U);
}

/// By hand: targets -2, 6; predictions -2 and 2: squared errors 0 and 16, absolute ones 0 and 4;
/// the deviations of the targets from their mean 2 are 4 each.
TEST(SequenceRegression, FiguresAreThoseWorkedOutByHand) {
  const SequenceRegression t = task();
  CounterSums sums = t.zero_sums();
  t.count(sums, 0, -2);
  t.count(sums, SequenceRegression::kSteps, 2);
  const Evaluation e = t.summarise(t.in_steps(sums), exact);
  EXPECT_DOUBLE_EQ(e.value("loss"), 8);
  EXPECT_DOUBLE_EQ(e.value("mean_absolute_error"), 2);
  EXPECT_DOUBLE_EQ(e.value("r_squared"), 0.5);
  const std::vector<std::int64_t> train{0, SequenceRegression::kSteps};
  EXPECT_DOUBLE_EQ(t.figure_of_constant(train, train), 16) << "the mean of the targets is 2";
}

TEST(SequenceRegression, APredictionOutsideTheRangeAndOneThatIsNoNumberAreBounded) {
  const SequenceRegression t = task();
  for (const auto& [label, prediction] : {std::pair{std::int64_t{0}, 1e30},
                                          {std::int64_t{0}, kNoAnswer},
                                          {SequenceRegression::kSteps, -1e30},
                                          {SequenceRegression::kSteps, kNoAnswer}}) {
    CounterSums sums = t.zero_sums();
    t.count(sums, label, prediction);
    const auto counts = t.in_steps(sums);
    EXPECT_EQ(counts[1], 1U << 14) << prediction;
    EXPECT_EQ(counts[2], 1U << 14) << prediction;
    EXPECT_TRUE(job::check_counters(parsed(kRegression), counts, 1).ok());
  }
}

TEST(SequenceRegression, CountersBeyondWhatTheDeclaredExamplesCanAddAreRefused) {
  const config::JobConfig job = parsed(kRegression);
  const std::vector<std::uint64_t> most = {3, 3 << 14, 3 << 14, 3 << 14, 3 << 14};
  EXPECT_TRUE(job::check_counters(job, most, 3).ok());
  EXPECT_FALSE(job::check_counters(job, most, 2).ok());
  for (std::size_t i = 1; i < most.size(); ++i) {
    std::vector<std::uint64_t> more = most;
    ++more[i];
    EXPECT_FALSE(job::check_counters(job, more, 3).ok()) << i;
  }
}

TEST(SequenceRegression, PublishedFiguresAreRoundedInUnitsOfTheRange) {
  const SequenceRegression t = task();
  const std::vector<std::uint64_t> sums = {3, 1000, 5000, 20000, 15000};
  const Evaluation e = t.summarise(sums, four_decimals);
  EXPECT_DOUBLE_EQ(e.value("loss") / 64, std::round(1000.0 / 16384 / 3 * 1e4) / 1e4);
  EXPECT_DOUBLE_EQ(e.value("mean_absolute_error") / 8, std::round(5000.0 / 16384 / 3 * 1e4) / 1e4);
}

}  // namespace
}  // namespace sotto::tasks

// The report of token classification from the sums of a federation, and what an evaluation may
// count.
#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "common/encoding/quantizer.h"
#include "common/job/plan.h"
#include "tests/common/config/samples.h"

namespace sotto::job {
namespace {

config::JobConfig job_with(std::vector<std::string> labels) {
  config::JobConfig job;
  job.task = {.type = "token_classification", .labels = std::move(labels)};
  return job;
}

tasks::Evaluation summarise(const config::JobConfig& job, const std::vector<std::uint64_t>& sums) {
  return job.make_task()->summarise(sums, tasks::exact);
}

TEST(EntityReport, CountersAreWordsAndEntitiesOfEachLabel) {
  EXPECT_EQ(job_with({"PER", "LOC"}).make_task()->counter_names(),
            (std::vector<std::string>{"words", "correct", "loss_milli", "tp:PER", "fp:PER",
                                      "fn:PER", "tp:LOC", "fp:LOC", "fn:LOC"}));
  EXPECT_EQ(job_with({"PER", "LOC"}).make_task()->classes(),
            (std::vector<std::string>{"O", "B-PER", "I-PER", "B-LOC", "I-LOC"}));
}

/// The example of seqeval's README: one MISC of wrong extent, one PER found; it prints 0.50 for all
/// three averages.
TEST(EntityReport, IsThatOfSeqevalsExample) {
  const tasks::Evaluation e = summarise(job_with({"MISC", "PER"}), {10, 8, 5000, 0, 1, 1, 1, 0, 0});
  EXPECT_EQ(e.units, 10U);
  EXPECT_DOUBLE_EQ(e.value("accuracy"), 0.8);
  EXPECT_DOUBLE_EQ(e.value("loss"), 0.5);
  ASSERT_TRUE(e.entities.has_value());
  EXPECT_EQ(e.entities->labels[0].first, "MISC");
  EXPECT_EQ(e.entities->labels[0].second.f1, 0);
  EXPECT_EQ(e.entities->labels[0].second.support, 1U);
  EXPECT_EQ(e.entities->labels[1].second.f1, 1);
  for (const tasks::EntityScore* s :
       {&e.entities->micro, &e.entities->macro, &e.entities->weighted}) {
    EXPECT_DOUBLE_EQ(s->precision, 0.5);
    EXPECT_DOUBLE_EQ(s->recall, 0.5);
    EXPECT_DOUBLE_EQ(s->f1, 0.5);
    EXPECT_EQ(s->support, 2U);
  }
  EXPECT_EQ(e.value("macro_f1"), e.entities->macro.f1);
}

/// Worked out by hand: A has 6 found, 2 wrong, 4 missed; B 1, 3, 1; C nothing there, nothing said.
TEST(EntityReport, AveragesAreWorkedOutByHand) {
  const tasks::Evaluation e =
      summarise(job_with({"A", "B", "C"}), {100, 90, 0, 6, 2, 4, 1, 3, 1, 0, 0, 0});
  const auto& labels = e.entities->labels;
  EXPECT_DOUBLE_EQ(labels[0].second.precision, 0.75);
  EXPECT_DOUBLE_EQ(labels[0].second.recall, 0.6);
  EXPECT_DOUBLE_EQ(labels[0].second.f1, 2 * 0.75 * 0.6 / (0.75 + 0.6));
  EXPECT_DOUBLE_EQ(labels[1].second.f1, 2 * 0.25 * 0.5 / (0.25 + 0.5));
  EXPECT_EQ(labels[2].second.f1, 0);
  EXPECT_DOUBLE_EQ(e.entities->micro.precision, 7.0 / 12);
  EXPECT_DOUBLE_EQ(e.entities->micro.recall, 7.0 / 12);
  EXPECT_DOUBLE_EQ(e.entities->macro.precision, (0.75 + 0.25) / 3);
  EXPECT_DOUBLE_EQ(e.entities->weighted.recall, (10 * 0.6 + 2 * 0.5) / 12);
  EXPECT_EQ(e.entities->weighted.support, 12U);
}

TEST(EntityReport, NothingEvaluatedIsZeroEverywhere) {
  EXPECT_FALSE(summarise(job_with({"A"}), {0, 0, 0, 0, 0, 0}).entities.has_value());
  const tasks::Evaluation none = summarise(job_with({"A"}), {5, 5, 0, 0, 0, 0});
  EXPECT_EQ(none.entities->micro.f1, 0);
  EXPECT_EQ(none.entities->weighted.f1, 0);
}

std::vector<std::string> numbered_labels(std::size_t count) {
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < count; ++i)
    labels.push_back("L" + std::to_string(i));
  return labels;
}

bool fits_a_round(const config::JobConfig& job) {
  const encoding::EncodingSpec spec = encoding_of(job);
  crypto::StreamRandom random(1);
  const encoding::Counters counts{.weight = 1,
                                  .metrics = std::vector<std::uint64_t>(spec.metrics.size(), 7)};
  return encoding::encode(spec, encoding::lane_specs(spec, 0, 4), {}, std::nullopt, counts, random)
      .ok();
}

/// The most labels that a job may have are the most that a round can count.
TEST(EntityReport, TheLimitOfLabelsIsThatOfTheCounters) {
  EXPECT_TRUE(fits_a_round(job_with(numbered_labels(1364))));
  EXPECT_FALSE(fits_a_round(job_with(numbered_labels(1365))));
  const auto errors = [](std::size_t labels) {
    std::string list;
    for (const std::string& label : numbered_labels(labels))
      list += (list.empty() ? "[\"" : ",\"") + label + "\"";
    const std::vector<std::string> set{"task.labels=" + list + "]"};
    const auto parsed = config::parse_job(config::samples::kJob, "job.json", set);
    const auto* found = std::get_if<config::ConfigErrors>(&parsed);
    return found == nullptr ? std::string() : found->joined();
  };
  EXPECT_EQ(errors(1364), "");
  EXPECT_NE(errors(1365).find("task.labels"), std::string::npos) << errors(1365);
  EXPECT_NE(errors(1365).find("1364"), std::string::npos) << errors(1365);
}

}  // namespace
}  // namespace sotto::job

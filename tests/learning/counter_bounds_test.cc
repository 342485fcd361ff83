// What a site counts stays within what its declared size allows, whatever the model said.
#include <limits>

#include <gtest/gtest.h>

#include "common/run/evaluation_bounds.h"
#include "participant/learning/metrics.h"

namespace sotto::learning {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

config::JobConfig job_of(const std::string& task) {
  config::JobConfig job;
  job.task.type = task;
  if (!job.is_language_modeling()) job.task.labels = {"a", "b"};
  job.model.max_length = 3;
  return job;
}

TEST(CounterBounds, ALossThatIsNoNumberCountsAsTheLargestOne) {
  MetricCounts counts(2);
  for (double loss : {kNaN, kInfinity, -kInfinity, 1e30, -1.0})
    counts.add(0, 1, loss);
  EXPECT_EQ(counts.counts()[2], 4 * run::kMostLoss * 1000);
  EXPECT_TRUE(run::check_counters(job_of("sequence_classification"), counts.counts(), 5).ok());
}

TEST(CounterBounds, ATextLosesAtMostThatForEachToken) {
  MetricCounts counts(0);
  counts.add_text({.tokens = 2, .correct = 1, .loss = kNaN});
  EXPECT_EQ(counts.counts(), (std::vector<std::uint64_t>{2, 0, 2 * run::kMostLoss * 1000}));
  EXPECT_TRUE(run::check_counters(job_of("causal_language_modeling"), counts.counts(), 1).ok());
}

TEST(CounterBounds, OfASentenceTheFirstMaxLengthWordsAreCounted) {
  const config::JobConfig job = job_of("token_classification");
  MetricCounts counts(2, job.model.max_length);
  const std::vector<std::int64_t> words(10, 1);  // each the beginning of an entity of kind a
  counts.add_sentence(words, words, 1e30);
  EXPECT_EQ(counts.counts(),
            (std::vector<std::uint64_t>{3, 3, 3 * run::kMostLoss * 1000, 3, 0, 0, 0, 0, 0}));
  EXPECT_TRUE(run::check_counters(job, counts.counts(), 1).ok());
}

}  // namespace
}  // namespace sotto::learning

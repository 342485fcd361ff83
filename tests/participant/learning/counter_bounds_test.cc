// What a site counts stays within what its declared size allows, whatever the model said.
#include <limits>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "common/job/counter_noise.h"
#include "common/job/evaluation_bounds.h"
#include "participant/learning/tasks/metrics.h"

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

/// The squares of what one example changes, in units of its noise; 1 / multiplier^2 at most
/// (common/job/counter_noise.h).
double squared_change(const std::vector<codec::MetricNoise>& noise, const MetricCounts& counts) {
  double squares = 0;
  for (std::size_t i = 0; i < noise.size(); ++i) {
    // Rounding to steps moves the difference of two sums by one more.
    const auto step = static_cast<double>(noise[i].step);
    const double steps =
        static_cast<double>(counts.counts()[i]) / step + (noise[i].step > 1 ? 1 : 0);
    squares += steps * steps * 0x1p16 / static_cast<double>(noise[i].unknown_variance);
  }
  return squares;
}

TEST(CounterBounds, NoExampleChangesTheCountersByMoreThanTheirNoiseIsMadeFor) {
  constexpr double kMultiplier = 3;
  crypto::StreamRandom random(5);
  for (const char* task :
       {"sequence_classification", "token_classification", "causal_language_modeling"}) {
    config::JobConfig job = job_of(task);
    job.model.max_length = 6;
    job.evaluation.counter_noise_multiplier = kMultiplier;
    const auto noise = run::metric_noise(job);
    double largest = 0;
    for (int i = 0; i < 2000; ++i) {
      MetricCounts counts(job.task.labels.size(), job.model.max_length);
      const double loss = random.below(2) == 0 ? kInfinity : 1;
      if (job.is_language_modeling()) {
        counts.add_text({.tokens = 5, .correct = random.below(6), .loss = loss});
      } else if (job.is_token_classification()) {
        std::vector<std::int64_t> said, right;  // O, B-a, I-a, B-b, I-b
        for (int word = 0; word < 8; ++word) {
          said.push_back(static_cast<std::int64_t>(random.below(5)));
          right.push_back(static_cast<std::int64_t>(random.below(5)));
        }
        counts.add_sentence(said, random.below(2) == 0 ? said : right, loss);
      } else {
        counts.add(static_cast<std::int64_t>(random.below(2)),
                   static_cast<std::int64_t>(random.below(2)), loss);
      }
      largest = std::max(largest, squared_change(noise, counts));
    }
    EXPECT_LE(largest, (1 + 1e-9) / (kMultiplier * kMultiplier)) << task;
    EXPECT_GT(largest, 0.5 / (kMultiplier * kMultiplier)) << task << ": the bound is not idle";
  }
}

}  // namespace
}  // namespace sotto::learning

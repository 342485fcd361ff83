// Noise on the counters of an evaluation (docs/privacy.md, "Noise on the counters").
#include "common/job/counter_noise.h"

#include <cmath>

#include <gtest/gtest.h>

#include "common/job/evaluation_bounds.h"
#include "common/job/plan.h"
#include "common/secagg/shared/noisy_round.h"

namespace sotto::job {
namespace {

constexpr std::uint32_t kMembers = 10, kColluders = 1;
constexpr std::uint32_t kLeastSum = 6;  // Q of ten with one colluder
constexpr std::uint32_t kUnknown = kLeastSum - kColluders;
constexpr double kMultiplier = 10;

config::JobConfig job_of(const std::string& task) {
  config::JobConfig job;
  job.task.type = task;
  if (task != "causal_language_modeling") job.task.labels = {"a", "b"};
  job.model.max_length = 32;
  job.evaluation.counter_noise_multiplier = kMultiplier;
  return job;
}

const config::JobConfig kJob = job_of("sequence_classification");

secagg::RoundEncoding round_of(const config::JobConfig& job) {
  return secagg::round_encoding(encoding_of(job), std::nullopt, graph_rules(job),
                                {.n = kMembers, .C = kColluders})
      .value();
}

config::JobConfig job_of_twenty_labels() {
  config::JobConfig job = kJob;
  job.task.labels.assign(20, "label");  // their names do not matter here
  return job;
}

/// Sums of the smallest cohort that is allowed; each member counts nothing.
struct NoisySums {
  encoding::EncodingSpec spec = round_of(job_of_twenty_labels()).spec;
  std::vector<encoding::LaneSpec> lanes = encoding::lane_specs(spec, 0, kMembers);
  crypto::StreamRandom random{21};

  std::vector<std::int64_t> next() {
    auto sum = encoding::RingUpdate::zeros(lanes);
    const encoding::Counters nothing{.metrics = std::vector<std::uint64_t>(spec.metrics.size(), 0)};
    for (std::uint32_t member = 0; member < kLeastSum; ++member) {
      auto encoded = encoding::encode(spec, lanes, {}, std::nullopt, nothing, random);
      EXPECT_TRUE(encoded.ok());
      EXPECT_TRUE(sum.add_packed(encoded->pack()).ok());
    }
    const auto decoded = encoding::decode_sum(spec, lanes, {}, std::move(sum), kLeastSum);
    EXPECT_TRUE(decoded.ok());
    std::vector<std::int64_t> out;
    for (std::uint64_t metric : decoded->metrics)
      out.push_back(static_cast<std::int64_t>(metric));
    return out;
  }
};

TEST(CounterNoise, ASumHasTheNoiseThatTheJobAsksForWithoutTheColluders) {
  NoisySums sums;
  constexpr int kRounds = 150;
  double squares = 0, loss_squares = 0, total = 0, all = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto sum = sums.next();
    for (std::size_t metric = 0; metric < sum.size(); ++metric) {
      const auto value = static_cast<double>(sum[metric]);
      if (metric == 2) {
        loss_squares += value * value / kRounds;
        continue;
      }
      squares += value * value;
      total += value;
      ++all;
    }
  }
  // One example changes a counter by 1 and four of them at once: a deviation of 2 multipliers.
  const double unknown = std::pow(2 * kMultiplier, 2);
  const double expected = unknown * kLeastSum / kUnknown;
  EXPECT_NEAR(squares / all / expected, 1, 5 * std::sqrt(2 / all));
  EXPECT_NEAR(total / all, 0, 5 * std::sqrt(expected / all));
  const double of_loss = expected * std::pow(16 * (32000 / 16 + 1), 2);
  EXPECT_NEAR(loss_squares / of_loss, 1, 5 * std::sqrt(2.0 / kRounds));
}

TEST(CounterNoise, TheLossIsAWholeNumberOfSteps) {
  NoisySums sums;
  EXPECT_EQ(sums.spec.metric_noise[2].step, 16U);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(sums.next()[2] % 16, 0);
}

TEST(CounterNoise, EachMemberAddsItsShareAndTwoStepsAtLeast) {
  for (const encoding::MetricNoise& noise : round_of(kJob).spec.metric_noise) {
    EXPECT_GE(noise.variance * kUnknown, noise.unknown_variance);
    EXPECT_LT((noise.variance - 1) * kUnknown, noise.unknown_variance);
  }
  config::JobConfig little = kJob;
  little.evaluation.counter_noise_multiplier = 0.1;
  EXPECT_EQ(round_of(little).spec.metric_noise[0].variance, 4U << 16);
}

TEST(CounterNoise, WithoutAMultiplierCountersAreExact) {
  config::JobConfig job = kJob;
  job.evaluation.counter_noise_multiplier = 0;
  EXPECT_TRUE(round_of(job).spec.metric_noise.empty());
}

TEST(CounterNoise, NoiseThatWasNotSharedAmongACohortIsNotEncodedWith) {
  const encoding::EncodingSpec plain = encoding_of(kJob);
  crypto::StreamRandom random(1);
  const encoding::Counters counters{.metrics = std::vector<std::uint64_t>(9, 0)};
  EXPECT_FALSE(encoding::encode(plain, encoding::lane_specs(plain, 0, 10), {}, std::nullopt,
                                counters, random)
                   .ok());
}

TEST(CounterNoise, AnAttemptWithoutCountersHasNone) {
  const auto spec = encoding::without_metrics(round_of(kJob).spec);
  crypto::StreamRandom random(1);
  EXPECT_TRUE(
      encoding::encode(spec, encoding::lane_specs(spec, 0, 10), {}, std::nullopt, {}, random).ok());
}

TEST(CounterNoise, NoTaskAndNoLengthLeavesTheSamplersRange) {
  for (const char* task :
       {"sequence_classification", "token_classification", "causal_language_modeling"}) {
    config::JobConfig job = job_of(task);
    job.model.max_length = 4096;
    job.evaluation.counter_noise_multiplier = 100;
    const auto round =
        secagg::round_encoding(encoding_of(job), std::nullopt, graph_rules(job), {.n = 3, .C = 1});
    for (const encoding::MetricNoise& noise : round->spec.metric_noise)
      EXPECT_TRUE(
          privacy::DiscreteNoise::check(privacy::NoiseMechanism::kDiscreteGaussian, noise.variance)
              .ok())
          << task;
  }
}

std::uint64_t below_zero(std::uint64_t by) {
  return std::uint64_t{0} - by;
}

TEST(CounterNoise, NoisyCountersAreMovedIntoTheirBounds) {
  const auto read = [](std::vector<std::uint64_t> counts) {
    return read_counters(kJob, counts, 100);
  };
  const auto high = read({130, 120, 200'000, 60, 3, 2, 70, 1, 1});
  ASSERT_TRUE(high.ok());
  EXPECT_EQ(high->value("accuracy"), 1) << "100 of 100, not 120 of 130";
  EXPECT_EQ(high->value("loss"), 2);
  const auto low = read({100, below_zero(7), below_zero(9), 0, 0, 0, below_zero(2), 1, 1});
  ASSERT_TRUE(low.ok());
  EXPECT_EQ(low->value("accuracy"), 0);
  EXPECT_EQ(low->value("loss"), 0);
  EXPECT_FALSE(read({below_zero(3), 1, 1, 0, 0, 0, 0, 0, 0}).ok());
}

TEST(CounterNoise, EpsilonIsThatOfAGaussianMechanism) {
  // zCDP: rho = 8 / (2 * 2^2) = 1, epsilon = rho + 2 sqrt(rho ln(1/delta)).
  EXPECT_NEAR(counter_epsilon(2, 8, 1e-5), 1 + 2 * std::sqrt(std::log(1e5)), 1e-6);
  EXPECT_TRUE(std::isinf(counter_epsilon(0, 8, 1e-5)));
  EXPECT_GT(counter_epsilon(2, 9, 1e-5), counter_epsilon(2, 8, 1e-5));
}

}  // namespace
}  // namespace sotto::job

// Counters of an evaluation when the model gives no answer.
#include "participant/learning/tasks/metrics.h"

#include <limits>

#include <gtest/gtest.h>

namespace sotto::learning {
namespace {

constexpr std::uint64_t kMost = static_cast<std::uint64_t>(kLargestLoss) * 1000;  // in thousandths
constexpr double kNotFinite[] = {std::numeric_limits<double>::quiet_NaN(),
                                 std::numeric_limits<double>::infinity(),
                                 -std::numeric_limits<double>::infinity()};

using Counters = std::vector<std::uint64_t>;
using Tags = std::vector<std::int64_t>;

TEST(MetricCounts, AnExampleWithoutAFiniteLossIsWrongWithTheLargestLoss) {
  for (const double loss : kNotFinite) {
    MetricCounts counts(3);
    counts.add(2, 2, loss);  // what an argmax over NaN says means nothing
    counts.add(1, 0, loss);
    counts.add(1, 1, 0.25);
    EXPECT_EQ(counts.counts(), (Counters{3, 1, 2 * kMost + 250, 0, 2, 0, 1, 0, 1, 0, 0, 1}));
  }
}

TEST(MetricCounts, ATextWithoutAFiniteLossHasNoCorrectToken) {
  for (const double loss : kNotFinite) {
    MetricCounts counts(0);
    counts.add_text({.tokens = 5, .correct = 4, .loss = loss});
    EXPECT_EQ(counts.counts(), (Counters{5, 0, 5 * kMost}));
  }
}

TEST(MetricCounts, ASentenceWithoutAFiniteLossMissesItsEntities) {
  for (const double loss : kNotFinite) {
    MetricCounts counts(2);
    counts.add_sentence(Tags{1, 0, 3}, Tags{1, 0, 3}, loss);
    EXPECT_EQ(counts.counts(), (Counters{3, 0, 3 * kMost, 0, 0, 1, 0, 0, 1}));
  }
}

TEST(MetricCounts, ALossIsAtMostTheLargest) {
  MetricCounts counts(2);
  counts.add(0, 1, 1e30);
  counts.add(0, 0, -1e-9);
  EXPECT_EQ(counts.counts()[2], kMost);
}

}  // namespace
}  // namespace sotto::learning

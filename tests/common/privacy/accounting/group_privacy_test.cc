// What DP-SGD is worth for a person with several records
// (common/privacy/accounting/group_privacy.h).
#include "common/privacy/accounting/group_privacy.h"

#include <cmath>

#include <gtest/gtest.h>

#include "common/privacy/accounting/analytic_gaussian.h"

namespace sotto::privacy {
namespace {

constexpr double kDelta = 1e-5;

TEST(GroupPrivacy, OneExampleIsTheOrdinaryStatement) {
  const DpSgdSteps steps{.sampling_rate = 0.02, .noise_multiplier = 1.1, .steps = 200};
  const double one = epsilon_of_person(steps, 1, kDelta).value();
  EXPECT_NEAR(one, epsilon_of(steps, kDelta).value(), 1e-3 * one);
}

// Without sampling k examples move the sum by k norms: the Gaussian mechanism with noise z / k.
TEST(GroupPrivacy, WithoutSamplingItIsAGaussianOfKTimesTheSensitivity) {
  for (const std::uint32_t k : {2U, 10U, 40U}) {
    const DpSgdSteps steps{.sampling_rate = 1, .noise_multiplier = 20, .steps = 9};
    EXPECT_NEAR(epsilon_of_person(steps, k, kDelta).value(), gaussian_epsilon(20.0 / 3 / k, kDelta),
                1e-6)
        << k;
  }
}

TEST(GroupPrivacy, GrowsWithEveryExampleAndStaysBelowTheGeneralBound) {
  const DpSgdSteps steps{.sampling_rate = 0.01, .noise_multiplier = 2, .steps = 100};
  double before = 0;
  for (std::uint32_t k = 1; k <= 16; k *= 2) {
    const double epsilon = epsilon_of_person(steps, k, kDelta).value();
    EXPECT_GT(epsilon, before) << k;
    before = epsilon;
    const double one = epsilon_of(steps, kDelta).value();
    const GroupBound bound = general_group_bound(one, kDelta, k);
    if (bound.delta >= 1) continue;
    EXPECT_LE(epsilon_of_person(steps, k, bound.delta).value(), bound.epsilon * (1 + 1e-3)) << k;
  }
}

TEST(GroupPrivacy, TheGeneralBoundAddsThePowers) {
  const GroupBound bound = general_group_bound(2, 1e-6, 3);
  EXPECT_DOUBLE_EQ(bound.epsilon, 6);
  EXPECT_NEAR(bound.delta, 1e-6 * (1 + std::exp(2.0) + std::exp(4.0)), 1e-15);
  EXPECT_EQ(general_group_bound(2, 1e-6, 1).delta, 1e-6);
}

TEST(GroupPrivacy, RefusesWhatIsOutOfRange) {
  const DpSgdSteps steps{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 10};
  EXPECT_FALSE(epsilon_of_person(steps, 0, kDelta).ok());
  EXPECT_FALSE(epsilon_of_person(steps, 65, kDelta).ok());
  EXPECT_FALSE(epsilon_of_person(steps, 2, 0).ok());
  EXPECT_FALSE(
      epsilon_of_person({.sampling_rate = 2, .noise_multiplier = 1, .steps = 1}, 2, kDelta).ok());
}

}  // namespace
}  // namespace sotto::privacy

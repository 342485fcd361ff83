// A site's policy says how many members a sum that it takes part in has at the least
// (docs/secure-aggregation.md, 2.4, "Least sums"). Real sites meet a coordinator that says of some
// uploads that they never came.
#include "tests/simulation/selective_coordinator.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

constexpr std::uint64_t kClosing = SelectiveCoordinator::kTrainingRounds + 1;
const std::vector<std::uint32_t> kAll = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
const std::set<std::uint32_t> kIgnored = {7, 8, 9, 10};

/// Ten sites that take part in sums of ten.
Federation ten(std::optional<encoding::NoiseTerms> noise = std::nullopt) {
  return {.sites = 10, .min_cohort = 10, .noise = std::move(noise)};
}

encoding::NoiseTerms some_noise() {
  return {.values = SelectiveCoordinator::kValues, .clipping_norm = 1, .noise_multiplier = 0.5};
}

/// The same attempt is refused when its header allows sums of fewer, ends without a sum when the
/// header says ten and four uploads are held back, and has a sum of ten when they are not.
void expect_sums_of_ten(const Federation& setup, std::uint64_t server_round,
                        Counters counters = Counters::kAsked) {
  SelectiveCoordinator coordinator(setup);
  const auto smaller = coordinator.play(RoundNumber::of(server_round, 0), kAll,
                                        {.counters = counters, .ignored = kIgnored});
  EXPECT_EQ(smaller.status, RoundStatus::kCancelled);
  EXPECT_EQ(smaller.survivors.size(), 0U) << "the sum of a site that takes part in sums of ten";
  const auto held_back = coordinator.play(RoundNumber::of(server_round, 1), kAll,
                                          {.counters = counters, .s_min = 10, .ignored = kIgnored});
  EXPECT_EQ(held_back.status, RoundStatus::kAborted);
  const auto whole =
      coordinator.play(RoundNumber::of(server_round, 2), kAll, {.counters = counters, .s_min = 10});
  ASSERT_EQ(whole.status, RoundStatus::kDone) << whole.reason;
  EXPECT_EQ(whole.survivors.size(), 10U);
}

TEST(LeastSum, BoundsTheSumOfATrainingRound) {
  expect_sums_of_ten(ten(), 1);
}

TEST(LeastSum, BoundsTheSumOfAnAttemptWithoutCounters) {
  expect_sums_of_ten(ten(), 1, Counters::kLeftOut);
}

TEST(LeastSum, BoundsTheSumOfTheClosingEvaluation) {
  expect_sums_of_ten(ten(), kClosing);
}

TEST(LeastSum, BoundsASumWithNoise) {
  expect_sums_of_ten(ten(some_noise()), 1);
}

TEST(LeastSum, ACohortThatIsTooSmallForItIsNotJoined) {
  SelectiveCoordinator coordinator({.sites = 5, .min_cohort = 5});
  EXPECT_EQ(coordinator.play(RoundNumber::of(1, 0), {1, 2, 3, 4}, {.s_min = 4}).status,
            RoundStatus::kCancelled);
}

}  // namespace
}  // namespace sotto::simulation

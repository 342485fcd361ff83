// Two sums over cohorts that differ by one member give that member's counters by subtraction
// (docs/secure-aggregation.md, 2.7, "Counters once a server round"). A coordinator that tries meets
// real sites, with the policy's defaults.
#include "tests/simulation/selective_coordinator.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

constexpr std::uint64_t kTrainingRounds = SelectiveCoordinator::kTrainingRounds;
constexpr RoundNumber kClosing = RoundNumber::of(kTrainingRounds + 1, 0);

TEST(Differencing, TheClosingEvaluationIsSummedOnce) {
  SelectiveCoordinator coordinator;
  const auto all = coordinator.play(kClosing, {1, 2, 3, 5});
  ASSERT_EQ(all.status, RoundStatus::kDone) << all.reason;
  const auto less = coordinator.play(RoundNumber::of(kTrainingRounds + 1, 1), {1, 2, 3});
  EXPECT_EQ(less.status, RoundStatus::kCancelled);
  EXPECT_FALSE(less.sum) << "site 5 has " << coordinator.site(5).input(kClosing)->lanes[0].at(2)
                         << "; the difference is " << all.sum->metrics[0] - less.sum->metrics[0];
}

TEST(Differencing, AnotherAttemptAtATrainingRoundIsJoinedWithoutCountersAlone) {
  SelectiveCoordinator coordinator;
  const auto all = coordinator.play(RoundNumber::of(1, 0), {1, 2, 3, 5});
  ASSERT_EQ(all.status, RoundStatus::kDone) << all.reason;
  EXPECT_EQ(all.sum->metrics.size(), 3U);
  const auto again = coordinator.play(RoundNumber::of(1, 1), {1, 2, 3});
  EXPECT_EQ(again.status, RoundStatus::kCancelled);
  const auto without =
      coordinator.play(RoundNumber::of(1, 2), {1, 2, 3}, {.counters = Counters::kLeftOut});
  ASSERT_EQ(without.status, RoundStatus::kDone) << without.reason;
  EXPECT_TRUE(without.sum->metrics.empty());
  EXPECT_GT(without.sum->scale.values, 0U) << "its update is whole";
  const auto next = coordinator.play(RoundNumber::of(2, 0), {1, 2, 3});
  EXPECT_EQ(next.status, RoundStatus::kDone) << "the next server round counts again";
}

TEST(Differencing, ARestartOfTheSitesChangesNothing) {
  SelectiveCoordinator coordinator;
  ASSERT_EQ(coordinator.play(kClosing, {1, 2, 3, 5}).status, RoundStatus::kDone);
  coordinator.restart_sites();
  EXPECT_EQ(coordinator.play(RoundNumber::of(kTrainingRounds + 1, 1), {1, 2, 3}).status,
            RoundStatus::kCancelled);
}

TEST(Differencing, AClosingEvaluationWithoutCountersIsRefused) {
  SelectiveCoordinator coordinator;
  EXPECT_EQ(coordinator.play(kClosing, {1, 2, 3}, {.counters = Counters::kLeftOut}).status,
            RoundStatus::kCancelled);
}

}  // namespace
}  // namespace sotto::simulation

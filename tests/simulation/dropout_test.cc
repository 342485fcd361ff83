// docs/secure-aggregation.md, "Dropouts": with members gone at each phase the sum is exact up to
// the bound and the failure typed beyond it, and in either case the next round works.
#include <tuple>

#include <gtest/gtest.h>

#include "common/secagg/shared/cohort.h"
#include "tests/simulation/world.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

struct Bounds {
  std::uint32_t before;  // n - Q: gone at the latest at M7
  std::uint32_t round;   // n - t: gone at the latest at M9
};

Bounds bounds_of(std::uint32_t n, std::uint32_t C) {
  const auto thresholds = secagg::complete_graph_thresholds(n, C).value();
  return {n - std::max(thresholds.Q, thresholds.s_min), n - thresholds.t};
}

/// The defaults of section 2.4: C = max(1, ceil(n/3) - 1).
std::uint32_t default_colluders(std::uint32_t n) {
  return std::max(1U, (n + 2) / 3 - 1);
}

/// `count` members from both ends of the cohort, so that masks of either sign are missing.
FaultPlan plan_of(std::uint32_t n, Moment moment, std::uint32_t count, Fault::Kind kind) {
  FaultPlan plan;
  for (std::uint32_t i = 0; i < count; ++i)
    plan.push_back({.member = MemberId{101 + 2 * (i % 2 == 0 ? i / 2 : n - 1 - i / 2)},
                    .round = 0,
                    .moment = moment,
                    .kind = kind,
                    .restart_after = Duration(500)});
  return plan;
}

/// Before U2 nothing was uploaded. After it, who comes back without an endorsement in its guard can
/// still vote to burn the round; who stays away cannot, and Q - 1 members are too few.
RoundStatus beyond_the_bound(Moment moment, Fault::Kind kind) {
  if (moment <= Moment::kShareCheck) return RoundStatus::kCancelled;
  const bool endorsed = moment >= Moment::kEndorse;
  return kind == Fault::Kind::kCrash && !endorsed ? RoundStatus::kAborted : RoundStatus::kLost;
}

class Dropouts : public ::testing::TestWithParam<std::tuple<std::uint32_t, Moment, Fault::Kind>> {};

TEST_P(Dropouts, SumIsExactUpToTheBoundAndTheFailureTypedBeyond) {
  const auto [n, moment, kind] = GetParam();
  const std::uint32_t C = default_colluders(n);
  const Bounds bounds = bounds_of(n, C);
  const bool late = moment == Moment::kUnmask;
  const std::uint32_t bound = late ? bounds.round : bounds.before;
  for (std::uint32_t gone = 0; gone <= bound + 1; ++gone) {
    World world(1000 * n + gone, plan_of(n, moment, gone, kind),
                {.participants = n, .colluders = C, .rounds = 2});
    world.run();
    EXPECT_TRUE(world.failures().empty()) << world.report();
    ASSERT_EQ(world.rounds().size(), 2U);
    const RoundRecord& first = world.rounds()[0];
    if (gone <= bound) {
      EXPECT_EQ(first.status, RoundStatus::kDone) << world.report();
      const bool uploaded = moment == Moment::kEndorse || late;
      EXPECT_EQ(first.survivors.size(), uploaded ? n : n - gone) << world.report();
    } else {
      EXPECT_EQ(first.status, beyond_the_bound(moment, kind)) << world.report();
      EXPECT_FALSE(first.reason.empty());
      EXPECT_FALSE(first.sum.has_value());
    }
    EXPECT_EQ(world.rounds()[1].status, RoundStatus::kDone) << world.report();
    EXPECT_EQ(world.rounds()[1].survivors.size(), n) << world.report();
  }
}

INSTANTIATE_TEST_SUITE_P(
    EveryPhase, Dropouts,
    ::testing::Combine(::testing::Values(3U, 4U, 5U, 10U), ::testing::ValuesIn(kMoments),
                       ::testing::Values(Fault::Kind::kSilent, Fault::Kind::kCrash)),
    [](const auto& param) {
      return "n" + std::to_string(std::get<0>(param.param)) + "_" +
             std::string(name(std::get<1>(param.param))) +
             (std::get<2>(param.param) == Fault::Kind::kCrash ? "_crash" : "_silent");
    });

TEST(DropoutTable, TheBoundsOfSmallCohortsAreThoseOfTheSpecification) {
  const std::uint32_t table[][4] = {// n, C, before, round
                                    {3, 1, 0, 1},  {4, 1, 1, 2},  {5, 1, 1, 2},  {6, 1, 2, 3},
                                    {7, 2, 2, 3},  {8, 2, 2, 3},  {9, 2, 3, 4},  {10, 3, 3, 4},
                                    {11, 3, 3, 5}, {12, 3, 4, 5}, {13, 4, 4, 6}, {14, 4, 4, 6},
                                    {15, 4, 5, 7}, {16, 5, 5, 7}};
  for (const auto& [n, C, before, round] : table) {
    EXPECT_EQ(default_colluders(n), C);
    EXPECT_EQ(bounds_of(n, C).before, before) << n;
    EXPECT_EQ(bounds_of(n, C).round, round) << n;
  }
}

TEST(Dropouts, DifferentMembersMayGoAtDifferentPhases) {
  // n = 10, C = 3: Q = 7, t = 6. One each before the key list, before U2 and after its upload was
  // announced; one more never answers the certificate.
  const FaultPlan plan{{.member = MemberId{101}, .moment = Moment::kAdvertise},
                       {.member = MemberId{105}, .moment = Moment::kShareCheck},
                       {.member = MemberId{119}, .moment = Moment::kUploadBytes},
                       {.member = MemberId{111}, .moment = Moment::kUnmask}};
  World world(7, plan, {.participants = 10, .colluders = 3, .rounds = 2});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  EXPECT_EQ(world.rounds()[0].status, RoundStatus::kDone) << world.report();
  EXPECT_EQ(world.rounds()[0].survivors.size(), 7U);
  EXPECT_EQ(world.rounds()[1].survivors.size(), 10U) << world.report();
}

TEST(Dropouts, AllGoneAfterTheUploadReleasesNothing) {
  FaultPlan plan;
  for (std::uint32_t i = 0; i < 5; ++i)
    plan.push_back({.member = MemberId{101 + 2 * i}, .moment = Moment::kEndorse});
  World world(8, plan, {.participants = 5, .rounds = 2});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  EXPECT_EQ(world.rounds()[0].status, RoundStatus::kLost);
  EXPECT_FALSE(world.rounds()[0].sum.has_value());
  EXPECT_EQ(world.checker().shares_revealed(world.rounds()[0].round), 0U);
  EXPECT_EQ(world.rounds()[1].status, RoundStatus::kDone) << world.report();
}

}  // namespace
}  // namespace sotto::simulation

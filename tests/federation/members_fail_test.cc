// Members that are killed or become silent in place of a message (docs/secure-aggregation.md,
// "Dropouts"): up to the bound the same attempt has an exact sum; beyond it the attempt has none,
// its failure is typed, and a later attempt works.
#include <algorithm>
#include <tuple>

#include <gtest/gtest.h>

#include "common/secagg/shared/graph.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

using Kind = Fault::Kind;
using wire::RoundStatus;

struct Bounds {
  std::uint32_t before;  // n - Q: gone at the latest at M7
  std::uint32_t round;   // n - t: gone at the latest at M9
};

Bounds bounds_of(std::uint32_t n) {
  const auto thresholds = secagg::complete_graph_thresholds(n, 1).value();
  return {n - std::max(thresholds.Q, thresholds.s_min), n - thresholds.t};
}

/// `count` members from both ends of the cohort, so that masks of either sign are missing.
FaultPlan plan_of(std::uint32_t n, Moment moment, std::uint32_t count, Kind kind) {
  FaultPlan plan;
  for (std::uint32_t i = 0; i < count; ++i)
    plan.push_back({.member = MemberId{1 + (i % 2 == 0 ? i / 2 : n - 1 - i / 2)},
                    .round = 0,
                    .moment = moment,
                    .kind = kind});
  return plan;
}

FederationConfig with(std::uint32_t members, FaultPlan plan) {
  return {.seed = 100 + members,
          .members = members,
          .job = small_job({"rounds.num_server_rounds=1", "rounds.attempts_per_round=100"}),
          .faults = std::move(plan)};
}

class Dropouts : public ::testing::TestWithParam<std::tuple<std::uint32_t, Moment, Kind>> {};

TEST_P(Dropouts, SumIsExactUpToTheBoundAndTheFailureTypedBeyond) {
  const auto [n, moment, kind] = GetParam();
  const bool late = moment == Moment::kUnmask;
  const std::uint32_t bound = late ? bounds_of(n).round : bounds_of(n).before;
  for (std::uint32_t gone = 0; gone <= bound + 1; ++gone) {
    Federation federation(with(n, plan_of(n, moment, gone, kind)));
    ASSERT_TRUE(federation.run()) << federation.report();
    EXPECT_EQ(federation.exit_code(), 0) << federation.report();
    EXPECT_TRUE(federation.failures().empty()) << federation.report();
    EXPECT_EQ(federation.done_rounds(), 2U) << federation.report();
    const auto first = federation.rounds().front();
    if (gone <= bound) {
      EXPECT_EQ(first.status, RoundStatus::kDone) << federation.report();
      const bool uploaded = moment == Moment::kEndorse || late;
      EXPECT_EQ(first.survivors, uploaded ? n : n - gone) << federation.report();
    } else {
      const auto status = federation.checker().status(RoundNumber::of(1, 0));
      EXPECT_NE(status, RoundStatus::kDone) << federation.report();
      if (moment <= Moment::kShareCheck) {
        EXPECT_EQ(status, RoundStatus::kCancelled) << federation.report();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryPhase, Dropouts,
                         ::testing::Combine(::testing::Values(3U, 4U, 7U),
                                            ::testing::ValuesIn(kMoments),
                                            ::testing::Values(Kind::kSilent, Kind::kCrash)),
                         [](const auto& param) {
                           return "n" + std::to_string(std::get<0>(param.param)) + "_" +
                                  std::string(name(std::get<1>(param.param))) +
                                  (std::get<2>(param.param) == Kind::kCrash ? "_crash" : "_silent");
                         });

/// Two of five die before their uploads are whole: the survivors stay below Q = 4.
TEST(Dropouts, AFreedUpdateGoesIntoTheNextAttemptWithoutTrainingOrAChargeAgain) {
  Federation federation(with(5, plan_of(5, Moment::kUpload, 2, Kind::kCrash)));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.checker().status(RoundNumber::of(1, 0)), RoundStatus::kAborted)
      << federation.report();
  for (std::uint32_t i = 1; i <= 5; ++i) {
    const bool crashed = i == 1 || i == 5;  // its update died with it, charged as it was
    EXPECT_EQ(federation.trained(MemberId{i}).size(), crashed ? 2U : 1U) << i;
    const auto entries = federation.charges(MemberId{i});
    const auto paid = std::ranges::count_if(
        entries, [](const auto& entry) { return entry.charge.without_privacy; });
    EXPECT_EQ(paid, crashed ? 2 : 1) << i;
  }
}

TEST(Dropouts, DifferentMembersMayGoAtDifferentPhases) {
  const FaultPlan plan{{.member = MemberId{1}, .moment = Moment::kAdvertise},
                       {.member = MemberId{3}, .moment = Moment::kShareCheck},
                       {.member = MemberId{10}, .moment = Moment::kUnmask}};
  Federation federation(with(10, plan));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.rounds().front().status, RoundStatus::kDone) << federation.report();
  EXPECT_EQ(federation.rounds().front().survivors, 8U);
}

}  // namespace
}  // namespace sotto::simulation

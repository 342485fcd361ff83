// Members that are killed or become silent in place of a message (docs/secure-aggregation.md,
// "Dropouts"): up to the bound the same attempt has an exact sum; beyond it the attempt has none,
// its failure is typed, and a later attempt works.
#include <algorithm>
#include <tuple>

#include <gtest/gtest.h>

#include "common/config/colluders.h"
#include "common/secagg/shared/cohort.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

using Kind = Fault::Kind;
using wire::RoundStatus;

struct Bounds {
  std::uint32_t before;  // n - Q: gone at the latest at M7
  std::uint32_t round;   // n - t: gone at the latest at M9
};

Bounds bounds_of(std::uint32_t n, std::uint32_t C) {  // NOLINT: the specification's name
  const auto thresholds = secagg::complete_graph_thresholds(n, C).value();
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
  const std::uint32_t colluders = config::default_colluders(members);
  return {.seed = 100 + members,
          .members = members,
          .job = small_job({"rounds.num_server_rounds=1", "rounds.attempts_per_round=100",
                            "secure_aggregation.max_colluders=" + std::to_string(colluders),
                            "rounds.min_available_participants=" + std::to_string(colluders + 2)}),
          .faults = std::move(plan)};
}

/// Before U2 nothing was uploaded. After it, a member that returns without an endorsement in its
/// guard can still vote to abort the round; one that stays away cannot, and Q - 1 are too few.
RoundStatus beyond_the_bound(Moment moment, Kind kind) {
  if (moment <= Moment::kShareCheck) return RoundStatus::kCancelled;
  const bool endorsed = moment >= Moment::kEndorse;
  return kind == Kind::kCrash && !endorsed ? RoundStatus::kAborted : RoundStatus::kLost;
}

class Dropouts : public ::testing::TestWithParam<std::tuple<std::uint32_t, Moment, Kind>> {};

TEST_P(Dropouts, SumIsExactUpToTheBoundAndTheFailureTypedBeyond) {
  const auto [n, moment, kind] = GetParam();
  const bool late = moment == Moment::kUnmask;
  const Bounds bounds = bounds_of(n, config::default_colluders(n));
  const std::uint32_t bound = late ? bounds.round : bounds.before;
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
      EXPECT_EQ(first.status, beyond_the_bound(moment, kind)) << federation.report();
      EXPECT_FALSE(first.reason.empty());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryPhase, Dropouts,
                         ::testing::Combine(::testing::Values(3U, 4U, 5U, 10U),
                                            ::testing::ValuesIn(kMoments),
                                            ::testing::Values(Kind::kSilent, Kind::kCrash)),
                         [](const auto& param) {
                           return "n" + std::to_string(std::get<0>(param.param)) + "_" +
                                  std::string(name(std::get<1>(param.param))) +
                                  (std::get<2>(param.param) == Kind::kCrash ? "_crash" : "_silent");
                         });

/// Two of five members die before their uploads are whole: the survivors stay below Q = 4.
TEST(Dropouts, AFreedUpdateGoesIntoTheNextAttemptWithoutTrainingOrAChargeAgain) {
  Federation federation(with(5, plan_of(5, Moment::kUpload, 2, Kind::kCrash)));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.checker().status(RoundNumber::of(1, 0)), RoundStatus::kAborted)
      << federation.report();
  for (std::uint32_t i = 1; i <= 5; ++i) {
    const bool crashed = i == 1 || i == 5;  // its update died with it, charged as it was
    EXPECT_EQ(federation.trained(MemberId{i}).size(), crashed ? 2U : 1U) << i;
    const auto* first = federation.checker().encoding(MemberId{i}, RoundNumber::of(1, 0));
    const auto* second = federation.checker().encoding(MemberId{i}, RoundNumber::of(1, 1));
    ASSERT_TRUE(first != nullptr && second != nullptr) << i;
    EXPECT_EQ(first->input == second->input, !crashed) << i;
    EXPECT_NE(first->lanes.lanes[0].words(), second->lanes.lanes[0].words())
        << "encoded afresh: its rounding is not that of the first time";
    const auto entries = federation.charges(MemberId{i});
    const auto paid = std::ranges::count_if(
        entries, [](const auto& entry) { return entry.charge.without_privacy; });
    EXPECT_EQ(paid, crashed ? 2 : 1) << i;
  }
}

TEST(Dropouts, DifferentMembersMayGoAtDifferentPhases) {
  // n = 10, C = 3: Q = 7, t = 6. One each before the key list, before U2 and after its upload was
  // announced; one more never answers the certificate.
  const FaultPlan plan{{.member = MemberId{1}, .moment = Moment::kAdvertise},
                       {.member = MemberId{3}, .moment = Moment::kShareCheck},
                       {.member = MemberId{10}, .moment = Moment::kUploadBytes},
                       {.member = MemberId{6}, .moment = Moment::kUnmask}};
  Federation federation(with(10, plan));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.rounds().front().status, RoundStatus::kDone) << federation.report();
  EXPECT_EQ(federation.rounds().front().survivors, 7U);
}

TEST(Dropouts, AllGoneAfterTheUploadReleasesNothing) {
  FaultPlan plan;
  for (std::uint32_t id = 1; id <= 5; ++id)
    plan.push_back({.member = MemberId{id}, .moment = Moment::kEndorse});
  Federation federation(with(5, plan));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.rounds().front().status, RoundStatus::kLost);
  EXPECT_EQ(federation.checker().shares_revealed(RoundNumber::of(1, 0)), 0U);
  EXPECT_EQ(federation.done_rounds(), 2U) << federation.report();
}

TEST(DropoutTable, TheBoundsOfSmallCohortsAreThoseOfTheSpecification) {
  const std::uint32_t table[][4] = {// n, C, before, round
                                    {3, 1, 0, 1},  {4, 1, 1, 2},  {5, 1, 1, 2},  {6, 1, 2, 3},
                                    {7, 2, 2, 3},  {8, 2, 2, 3},  {9, 2, 3, 4},  {10, 3, 3, 4},
                                    {11, 3, 3, 5}, {12, 3, 4, 5}, {13, 4, 4, 6}, {14, 4, 4, 6},
                                    {15, 4, 5, 7}, {16, 5, 5, 7}};
  for (const auto& [n, C, before, round] : table) {
    EXPECT_EQ(config::default_colluders(n), C);
    EXPECT_EQ(bounds_of(n, C).before, before) << n;
    EXPECT_EQ(bounds_of(n, C).round, round) << n;
  }
}

}  // namespace
}  // namespace sotto::simulation

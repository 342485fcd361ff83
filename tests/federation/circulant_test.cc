// Runs whose rounds are on a ring, or drawn (docs/secure-aggregation.md, 2.1 and 2.4).
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

const RoundNumber kFirst = RoundNumber::of(1, 0), kSecond = RoundNumber::of(2, 0);

FederationConfig on_a_ring(std::uint32_t members, std::vector<std::string> overrides = {}) {
  std::vector<std::string> all{"rounds.num_server_rounds=1", "secure_aggregation.max_colluders=2",
                               "rounds.min_available_participants=4",
                               "secure_aggregation.full_graph_max=20"};
  all.insert(all.end(), overrides.begin(), overrides.end());
  return {.seed = 30 + members, .members = members, .job = small_job(all)};
}

void expect_done(Federation& federation) {
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_EQ(federation.exit_code(), 0) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  for (const auto& round : federation.rounds())
    EXPECT_EQ(round.status, RoundStatus::kDone) << round.reason;
}

TEST(CirculantRuns, EveryRoundReleasesTheExactSum) {
  Federation federation(on_a_ring(40));
  expect_done(federation);
  EXPECT_EQ(federation.checker().sums(), 2U);
  EXPECT_EQ(federation.checker().header(kFirst)->graph, wire::Graph::kCirculant);
  EXPECT_EQ(federation.checker().survivors(kFirst).size(), 40U);
}

TEST(CirculantRuns, TheSameSeedGivesTheSameModel) {
  Federation one(on_a_ring(30));
  Federation other(on_a_ring(30));
  expect_done(one);
  expect_done(other);
  EXPECT_EQ(one.model().hash(), other.model().hash());
  EXPECT_EQ(one.history(), other.history());
}

TEST(CirculantRuns, DropoutsAtDifferentPhasesLeaveAnExactSum) {
  FederationConfig config = on_a_ring(40);
  config.faults = {{.member = MemberId{4}, .moment = Moment::kAdvertise},
                   {.member = MemberId{11}, .moment = Moment::kShareCheck},
                   {.member = MemberId{20}, .moment = Moment::kUploadBytes},
                   {.member = MemberId{31}, .moment = Moment::kUnmask}};
  Federation federation(config);
  expect_done(federation);
  EXPECT_EQ(federation.checker().survivors(kFirst).size(), 37U);
}

TEST(CirculantRuns, LossyAndFlappingLinksNeverGiveAWrongSum) {
  std::uint64_t sums = 0;
  for (std::uint64_t seed = 40; seed < 43; ++seed) {
    FederationConfig config = on_a_ring(24, {"rounds.attempts_per_round=20"});
    config.seed = seed;
    config.links.loss = 0.002;
    config.links.break_on_delivery = 0.005;
    Federation federation(config);
    ASSERT_TRUE(federation.run()) << federation.report();
    EXPECT_TRUE(federation.failures().empty()) << federation.report();
    sums += federation.checker().sums();
  }
  EXPECT_GT(sums, 3U);
}

TEST(CirculantRuns, ADrawnCohortTakesPartAndTheOthersDoNot) {
  Federation federation(on_a_ring(30, {"secure_aggregation.cohort_size=22"}));
  expect_done(federation);
  Checker& checker = federation.checker();
  EXPECT_EQ(checker.header(kFirst)->graph, wire::Graph::kCirculant);
  EXPECT_EQ(checker.survivors(kFirst).size(), 22U);
  EXPECT_EQ(checker.survivors(kSecond).size(), 22U);
  EXPECT_NE(checker.survivors(kFirst), checker.survivors(kSecond));
  for (std::uint32_t id = 1; id <= 30; ++id)
    EXPECT_EQ(checker.advertised(MemberId{id}, kFirst),
              checker.survivors(kFirst).contains(MemberId{id}));
}

TEST(CirculantRuns, ADrawnCohortMayBeSmallEnoughForTheCompleteGraph) {
  Federation federation(
      on_a_ring(12, {"secure_aggregation.full_graph_max=256", "secure_aggregation.cohort_size=6"}));
  expect_done(federation);
  EXPECT_EQ(federation.checker().header(kSecond)->graph, wire::Graph::kComplete);
  EXPECT_EQ(federation.checker().survivors(kSecond).size(), 6U);
}

}  // namespace
}  // namespace sotto::simulation

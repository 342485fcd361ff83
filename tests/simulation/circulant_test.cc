// Rounds on a ring, whole: the coordinator's round, sessions with guard and ledger, and the network
// (docs/secure-aggregation.md, 2.1 and 2.4).
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/simulation/world.h"

namespace sotto::simulation {
namespace {

WorldConfig on_a_ring(std::uint32_t participants) {
  return {.participants = participants, .colluders = 2, .full_graph_max = 20, .rounds = 2};
}

void expect_done(const World& world) {
  EXPECT_TRUE(world.failures().empty()) << world.report();
  for (const RoundRecord& round : world.rounds())
    EXPECT_EQ(round.status, wire::RoundStatus::kDone) << round.reason;
}

TEST(CirculantWorld, EveryRoundReleasesTheExactSum) {
  World world(31, {}, on_a_ring(40));
  world.run();
  ASSERT_EQ(world.rounds().size(), 2U);
  expect_done(world);
  EXPECT_EQ(world.rounds()[0].survivors.size(), 40U);
}

TEST(CirculantWorld, TheSameSeedGivesTheSameModel) {
  World one(32, {}, on_a_ring(30));
  World other(32, {}, on_a_ring(30));
  one.run();
  other.run();
  expect_done(one);
  EXPECT_EQ(one.model().hash(), other.model().hash());
}

TEST(CirculantWorld, DropoutsAtDifferentPhasesLeaveAnExactSum) {
  const FaultPlan plan{{.member = MemberId{107}, .moment = Moment::kAdvertise},
                       {.member = MemberId{121}, .moment = Moment::kShareCheck},
                       {.member = MemberId{139}, .moment = Moment::kUploadBytes},
                       {.member = MemberId{161}, .moment = Moment::kUnmask}};
  World world(35, plan, on_a_ring(40));
  world.run();
  expect_done(world);
  EXPECT_EQ(world.rounds()[0].survivors.size(), 37U);
  EXPECT_EQ(world.rounds()[1].survivors.size(), 40U);
}

TEST(CirculantWorld, LossyAndFlappingLinksNeverGiveAWrongSum) {
  for (std::uint64_t seed = 40; seed < 43; ++seed) {
    WorldConfig config = on_a_ring(24);
    config.flaps = 0.01;
    World world(seed, {}, config);
    world.run();
    EXPECT_TRUE(world.failures().empty()) << world.report();
  }
}

TEST(CirculantWorld, ADrawnCohortTakesPartAndTheOthersDoNot) {
  WorldConfig config = on_a_ring(30);
  config.cohort_size = 22;
  World world(33, {}, config);
  world.run();
  expect_done(world);
  ASSERT_EQ(world.rounds().size(), 2U);
  EXPECT_EQ(world.rounds()[0].survivors.size(), 22U);
  auto members = [&](std::size_t round) {
    auto ids = world.rounds()[round].survivors;
    std::ranges::sort(ids);
    return ids;
  };
  EXPECT_NE(members(0), members(1));
}

TEST(CirculantWorld, ADrawnCohortMayBeSmallEnoughForTheCompleteGraph) {
  WorldConfig config = on_a_ring(12);
  config.full_graph_max = 256;
  config.cohort_size = 6;
  World world(34, {}, config);
  world.run();
  expect_done(world);
  EXPECT_EQ(world.rounds()[1].survivors.size(), 6U);
}

}  // namespace
}  // namespace sotto::simulation

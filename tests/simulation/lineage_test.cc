// Whole runs in which every member makes every model by itself (docs/secure-aggregation.md, 2.8).
#include <gtest/gtest.h>

#include "tests/simulation/world.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

WorldConfig with_lineage() {
  return {.participants = 5, .rounds = 4, .lineage = true, .closing_evaluation = true};
}

void expect_done(World& world) {
  EXPECT_TRUE(world.failures().empty()) << world.report();
  for (const RoundRecord& record : world.rounds())
    EXPECT_EQ(record.status, RoundStatus::kDone) << world.report();
}

TEST(Lineage, GivesTheModelThatDownloadsGive) {
  World world(31, {}, with_lineage());
  world.run();
  expect_done(world);
  WorldConfig config = with_lineage();
  config.lineage = false;
  World downloading(31, {}, config);
  downloading.run();
  EXPECT_EQ(world.model().values.size(), 33U);
  EXPECT_NE(world.model().values[0], 0.5F);
  for (std::uint32_t i = 0; i < config.participants; ++i)
    EXPECT_EQ(world.site(MemberId{101 + 2 * i}).trained_on(RoundNumber::of(4, 0)),
              world.model().hash());
  EXPECT_EQ(world.rounds().size(), downloading.rounds().size());
}

TEST(Lineage, AMemberThatStartsAgainWalksTheWholeWay) {
  const MemberId victim{103};
  World world(32,
              {{.member = victim,
                .round = 1,
                .moment = Moment::kShares,
                .kind = Fault::Kind::kCrash,
                .restart_after = Duration(300)}},
              with_lineage());
  world.run();
  expect_done(world);
  EXPECT_LT(world.rounds()[1].survivors.size(), 5U) << "it was not away";
  EXPECT_EQ(world.site(victim).trained_on(RoundNumber::of(4, 0)), world.model().hash());
}

TEST(Lineage, OneThatMissedRoundsCatchesUp) {
  const MemberId late{105};
  World world(33,
              {{.member = late, .round = 0, .moment = Moment::kAdvertise},
               {.member = late, .round = 1, .moment = Moment::kAdvertise}},
              with_lineage());
  world.run();
  expect_done(world);
  EXPECT_EQ(world.site(late).trained_on(RoundNumber::of(4, 0)), world.model().hash());
}

TEST(Lineage, HoldsOverBrokenLinksAndAKilledCoordinator) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    WorldConfig config = with_lineage();
    config.attempts = 5;
    config.flaps = 0.01;
    config.coordinator_kills = 0.005;
    World world(seed, {}, config);
    world.run();
    EXPECT_TRUE(world.failures().empty()) << world.report();
    EXPECT_EQ(world.rounds().back().status, RoundStatus::kDone) << world.report();
  }
}

TEST(Lineage, GoesWithNoiseInsideTheSums) {
  WorldConfig config = with_lineage();
  config.noise_multiplier = 1;
  config.dropout_percent = 20;
  World world(34, {}, config);
  world.run();
  expect_done(world);
}

}  // namespace
}  // namespace sotto::simulation

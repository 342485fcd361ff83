// kill -9 of the coordinator: at every moment of a round, and at random over many seeds. The same
// round goes on from what was kept, its sum is what it would have been, and nobody is asked for
// anything twice (docs/operations.md, "Recovery").
#include <gtest/gtest.h>

#include "common/simulation/seeds.h"
#include "tests/simulation/seed_range.h"
#include "tests/simulation/world.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

void expect_undisturbed(World& killed, World& undisturbed) {
  EXPECT_TRUE(killed.failures().empty()) << killed.report();
  ASSERT_EQ(killed.rounds().size(), undisturbed.rounds().size()) << killed.report();
  for (std::size_t i = 0; i < killed.rounds().size(); ++i) {
    EXPECT_EQ(killed.rounds()[i].status, RoundStatus::kDone) << killed.report();
    EXPECT_EQ(killed.rounds()[i].survivors, undisturbed.rounds()[i].survivors) << killed.report();
    EXPECT_EQ(killed.rounds()[i].rejections, 0U) << killed.report();
  }
  EXPECT_EQ(killed.model().values, undisturbed.model().values) << killed.report();
}

void expect_trained_once(World& world, const WorldConfig& config) {
  for (std::uint32_t i = 0; i < config.participants; ++i) {
    Site& site = world.site(MemberId{101 + 2 * i});
    EXPECT_EQ(site.trainings(), config.rounds) << world.report();
    EXPECT_EQ(world.ledger().entries(site.dataset(), 1e-5).value().size(), config.rounds);
  }
}

TEST(Recovery, ACoordinatorKilledAtAnyMomentGoesOnWithTheSameRound) {
  WorldConfig config{.participants = 5, .rounds = 1};
  World undisturbed(11, {}, config);
  undisturbed.run();
  ASSERT_GT(undisturbed.moments(), 60U);
  for (std::uint64_t moment = 0; moment < undisturbed.moments(); ++moment) {
    config.coordinator_killed = {moment};
    World killed(11, {}, config);
    killed.run();
    EXPECT_EQ(killed.kills(), 1U);
    SCOPED_TRACE("killed at moment " + std::to_string(moment));
    expect_undisturbed(killed, undisturbed);
    expect_trained_once(killed, config);
  }
}

TEST(Recovery, KilledTwiceInARowToo) {
  WorldConfig config{.participants = 4, .rounds = 1};
  World undisturbed(12, {}, config);
  undisturbed.run();
  for (std::uint64_t moment = 0; moment < undisturbed.moments(); ++moment) {
    config.coordinator_killed = {moment, moment + 1};
    World killed(12, {}, config);
    killed.run();
    SCOPED_TRACE("killed at moments " + std::to_string(moment) + " and the next");
    expect_undisturbed(killed, undisturbed);
  }
}

TEST(Recovery, ARoundOnARingGoesOnAsWell) {
  WorldConfig config{.participants = 24, .full_graph_max = 8, .rounds = 1, .values = 5};
  World undisturbed(13, {}, config);
  undisturbed.run();
  for (std::uint64_t moment = 0; moment < undisturbed.moments(); moment += 23) {
    config.coordinator_killed = {moment};
    World killed(13, {}, config);
    killed.run();
    SCOPED_TRACE("killed at moment " + std::to_string(moment));
    expect_undisturbed(killed, undisturbed);
  }
}

/// One round in two loses nothing but a member that is gone for good; kills change nothing else.
TEST(Recovery, AMemberThatIsGoneStaysADropout) {
  for (Moment moment : kMoments) {
    WorldConfig config{.participants = 7, .colluders = 2, .rounds = 1};
    const FaultPlan plan{{.member = MemberId{103}, .moment = moment}};
    World undisturbed(14, plan, config);
    undisturbed.run();
    ASSERT_EQ(undisturbed.rounds()[0].status, RoundStatus::kDone) << undisturbed.report();
    for (std::uint64_t at = 0; at < undisturbed.moments(); at += 11) {
      config.coordinator_killed = {at};
      World killed(14, plan, config);
      killed.run();
      EXPECT_TRUE(killed.failures().empty()) << killed.report();
      EXPECT_EQ(killed.rounds()[0].status, RoundStatus::kDone) << killed.report();
    }
  }
}

/// A journal from a backup takes decisions again, this time without a member that was there before.
/// Members hold to what they answered: the round may be lost, and nothing is ever opened but the
/// exact sum of the one S that they endorsed.
TEST(Recovery, AJournalThatIsRolledBackReleasesNothingElse) {
  WorldConfig config{.participants = 5, .rounds = 1};
  const FaultPlan plan{{.member = MemberId{105}, .moment = Moment::kEndorse}};
  World undisturbed(15, plan, config);
  undisturbed.run();
  std::uint64_t done = 0, runs = 0;
  for (double forgets : {0.3, 0.6, 1.0}) {
    for (std::uint64_t moment = 0; moment < undisturbed.moments(); moment += 9, ++runs) {
      config.coordinator_killed = {moment};
      config.coordinator_forgets = forgets;
      World world(15, plan, config);
      world.run();
      EXPECT_TRUE(world.failures().empty()) << world.report();
      if (world.rounds()[0].status == RoundStatus::kDone) ++done;
    }
  }
  EXPECT_GT(done, 0U);
  EXPECT_LT(done, runs) << "no journal was rolled back far enough to cost a round";
}

TEST(Recovery, AHundredSeedsOfKillsAndBrokenLinksLoseNoRound) {
  const SeedRange seeds = seeds_to_run(100);
  std::uint64_t kills = 0;
  for (std::uint64_t seed = seeds.first; seed < seeds.last; ++seed) {
    World world(seed, {},
                {.participants = 4 + static_cast<std::uint32_t>(seed % 5),
                 .rounds = 2,
                 .flaps = 0.003,
                 .coordinator_kills = 0.01});
    world.run();
    kills += world.kills();
    EXPECT_TRUE(world.failures().empty()) << world.report();
    for (const auto& record : world.rounds())
      EXPECT_EQ(record.status, RoundStatus::kDone) << world.report();
  }
  EXPECT_GT(kills, seeds.last - seeds.first);
}

}  // namespace
}  // namespace sotto::simulation

// A coordinator that is killed again and again, between any two events, and links that break: the
// same attempts go on from what is on its disk, nobody is asked for anything twice, and members
// make the same models (docs/operations.md, "Recovery").
#include <gtest/gtest.h>

#include "tests/federation/federation.h"
#include "tests/simulation/seed_range.h"

namespace sotto::simulation {
namespace {

void expect_undisturbed(const Federation& federation, std::uint32_t members) {
  EXPECT_EQ(federation.exit_code(), 0) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.lines_with("has no sum"), 0U) << federation.report();
  for (std::uint32_t i = 1; i <= members; ++i) {
    EXPECT_EQ(federation.trained(MemberId{i}), (std::vector<std::uint64_t>{1, 2}))
        << federation.report();
    EXPECT_EQ(federation.charges(MemberId{i}).size(), 3U) << federation.report();
  }
}

TEST(Recovery, KillsOfTheCoordinatorLoseNoAttemptAndNoMember) {
  const SeedRange seeds = seeds_to_run(60);
  std::uint64_t kills = 0;
  for (std::uint64_t seed = seeds.first; seed < seeds.last; ++seed) {
    const auto members = static_cast<std::uint32_t>(4 + seed % 4);
    Federation federation({.seed = seed, .members = members, .coordinator_kills_per_event = 0.01});
    ASSERT_TRUE(federation.run()) << federation.report();
    expect_undisturbed(federation, members);
    kills += federation.simulation().kills();
  }
  EXPECT_GT(kills, seeds.last - seeds.first);
}

/// A member is a dropout only where the coordinator had something to send while its link was down.
TEST(Recovery, BrokenLinksLoseNoAttemptAndHardlyAMember) {
  const SeedRange seeds = seeds_to_run(60);
  std::uint64_t expected = 0, survivors = 0;
  for (std::uint64_t seed = seeds.first; seed < seeds.last; ++seed) {
    const auto members = static_cast<std::uint32_t>(4 + seed % 4);
    Federation federation({.seed = seed,
                           .members = members,
                           .links = {.max_delay = Duration(30), .break_on_delivery = 0.003}});
    ASSERT_TRUE(federation.run()) << federation.report();
    EXPECT_TRUE(federation.failures().empty()) << federation.report();
    EXPECT_EQ(federation.lines_with("has no sum"), 0U) << federation.report();
    for (const auto& round : federation.rounds()) {
      expected += members;
      survivors += round.survivors;
    }
  }
  EXPECT_LE(200 * (expected - survivors), expected) << expected - survivors << " of " << expected;
}

TEST(Recovery, HoldsWithModelsThatMembersMakeByThemselves) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Federation federation({.seed = seed,
                           .members = 5,
                           .job = small_job({"secure_aggregation.model_lineage=true"}),
                           .coordinator_kills_per_event = 0.005});
    ASSERT_TRUE(federation.run()) << federation.report();
    expect_undisturbed(federation, 5);
  }
}

TEST(Recovery, AQuietRunLosesNothing) {
  Federation federation({.members = 5});
  ASSERT_TRUE(federation.run()) << federation.report();
  expect_undisturbed(federation, 5);
  EXPECT_EQ(federation.checker().sums(), 3U);
  for (const auto& round : federation.rounds())
    EXPECT_EQ(round.survivors, 5U);
}

TEST(Recovery, ASecondKillRightAfterTheFirstChangesNothing) {
  Federation undisturbed({.members = 4});
  ASSERT_TRUE(undisturbed.run());
  const std::uint64_t operations = undisturbed.storage(kCoordinatorId).operations();
  for (std::uint64_t operation = 0; operation < operations; operation += 7) {
    Federation federation({.members = 4});
    FaultyStorage& storage = federation.storage(kCoordinatorId);
    storage.crash_at({.operation = operation, .loss = Loss::kUnsynced});
    storage.crash_at({.operation = operation + 2, .loss = Loss::kUnsynced});
    ASSERT_TRUE(federation.run()) << federation.report();
    EXPECT_EQ(federation.simulation().kills(), 2U);
    expect_undisturbed(federation, 4);
  }
}

}  // namespace
}  // namespace sotto::simulation

// Every persistence operation of both drivers is a point at which its process is killed: before it,
// during it and after it, with and without what was not synced. The run ends all the same, every
// sum is exact, and nothing is released twice or without a charge.
#include <gtest/gtest.h>

#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

struct Point {
  When when;
  Loss loss;
};

constexpr Point kPoints[] = {{When::kBefore, Loss::kNothing},
                             {When::kDuring, Loss::kNothing},
                             {When::kAfter, Loss::kNothing},
                             {When::kBefore, Loss::kUnsynced},
                             {When::kAfter, Loss::kUnsynced}};

FederationConfig four_members() {
  return {.seed = 11, .members = 4, .job = small_job({"rounds.num_server_rounds=2"})};
}

/// One round in the matrix that is killed at the operation; what a run of it must always give.
void expect_complete(Federation& federation, const std::string& where) {
  ASSERT_TRUE(federation.run()) << where << federation.report();
  EXPECT_EQ(federation.exit_code(), 0) << where << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << where << federation.report();
  EXPECT_EQ(federation.simulation().kills(), 1U) << where;
  EXPECT_TRUE(std::filesystem::exists(federation.folder() / "model/model.safetensors")) << where;
}

/// Shard `shard` of `shards` of the matrix of one process.
void kill_everywhere(MemberId victim, std::uint64_t shard, std::uint64_t shards) {
  Federation undisturbed(four_members());
  ASSERT_TRUE(undisturbed.run()) << undisturbed.report();
  ASSERT_TRUE(undisturbed.failures().empty()) << undisturbed.report();
  ASSERT_EQ(undisturbed.done_rounds(), 3U) << undisturbed.report();
  ASSERT_EQ(undisturbed.checker().sums(), 3U);
  const std::uint64_t operations = undisturbed.storage(victim).operations();
  ::testing::Test::RecordProperty("operations", std::to_string(operations));
  EXPECT_GT(operations, 20U);
  for (std::uint64_t operation = shard; operation < operations; operation += shards)
    for (const Point& point : kPoints) {
      Federation killed(four_members());
      killed.storage(victim).crash_at(
          {.operation = operation, .when = point.when, .loss = point.loss});
      expect_complete(killed, "operation " + std::to_string(operation) + " (" +
                                  std::string(killed.storage(victim).crashed_in()) + ") when " +
                                  std::to_string(static_cast<int>(point.when)) + " loss " +
                                  std::to_string(static_cast<int>(point.loss)) + ": ");
      if (::testing::Test::HasFailure()) return;
    }
}

struct KillMatrix : ::testing::TestWithParam<std::uint64_t> {
  static constexpr std::uint64_t kShards = 4;
};

TEST_P(KillMatrix, ACoordinatorKilledAtAnyPersistenceOperationEndsItsRun) {
  kill_everywhere(kCoordinatorId, GetParam(), kShards);
}

TEST_P(KillMatrix, AParticipantKilledAtAnyPersistenceOperationReleasesNothingTwice) {
  kill_everywhere(MemberId{2}, GetParam(), kShards);
}

INSTANTIATE_TEST_SUITE_P(Shards, KillMatrix,
                         ::testing::Range<std::uint64_t>(0, KillMatrix::kShards));

TEST(FederationSimulation, TheSameSeedIsTheSameHistory) {
  FederationConfig config = four_members();
  config.links = {.loss = 0.01,
                  .duplicate = 0.1,
                  .min_delay = Duration(1),
                  .max_delay = Duration(200),
                  .break_on_delivery = 0.005};
  config.kills_per_event = 0.01;
  config.kills_per_operation = 0.01;
  Federation one(config);
  Federation two(config);
  ASSERT_TRUE(one.run()) << one.report();
  ASSERT_TRUE(two.run()) << two.report();
  EXPECT_GT(one.simulation().kills(), 0U);
  EXPECT_EQ(one.history(), two.history());
  config.seed = 12;
  Federation other(config);
  ASSERT_TRUE(other.run()) << other.report();
  EXPECT_NE(one.history(), other.history());
}

}  // namespace
}  // namespace sotto::simulation

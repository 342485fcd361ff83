// A coordinator that is killed again and again, between any two events, and links that break: the
// same attempts go on from what is on its disk, nobody is asked for anything twice, and members
// make the same models (docs/operations.md, "Recovery").
#include <gtest/gtest.h>

#include "tests/federation/backup.h"
#include "tests/federation/federation.h"
#include "tests/federation/seed_range.h"

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

/// Returns a federation that has one training round and the closing evaluation.
FederationConfig one_round(std::uint32_t members, std::vector<std::string> overrides = {}) {
  overrides.emplace_back("rounds.num_server_rounds=1");
  return {.seed = 11, .members = members, .job = small_job(overrides)};
}

/// Runs `config` once for every `step`-th frame that the coordinator sends, and kills it in place
/// of that frame. `check` gets each run and the undisturbed one.
void kill_at_frames(FederationConfig config, std::uint64_t step,
                    const std::function<void(Federation& killed, Federation& undisturbed)>& check) {
  Federation undisturbed(config);
  ASSERT_TRUE(undisturbed.run()) << undisturbed.report();
  ASSERT_GT(undisturbed.coordinator_frames(), 60U);
  for (std::uint64_t frame = 0; frame < undisturbed.coordinator_frames(); frame += step) {
    config.coordinator_killed_at_frame = frame;
    Federation killed(config);
    ASSERT_TRUE(killed.run()) << killed.report();
    SCOPED_TRACE("killed at frame " + std::to_string(frame));
    EXPECT_EQ(killed.simulation().kills(), 1U);
    EXPECT_TRUE(killed.failures().empty()) << killed.report();
    check(killed, undisturbed);
    if (::testing::Test::HasFailure()) return;
  }
}

/// The same attempts, members and models, and nobody was asked for anything twice.
void expect_the_same(Federation& killed, Federation& undisturbed) {
  EXPECT_EQ(killed.exit_code(), 0) << killed.report();
  for (const RoundNumber round : {RoundNumber::of(1, 0), RoundNumber::of(2, 0)}) {
    // The process that died may have been about to announce the result.
    const auto status = killed.checker().status(round).value_or(wire::RoundStatus::kDone);
    EXPECT_EQ(status, wire::RoundStatus::kDone) << killed.report();
    EXPECT_EQ(killed.checker().survivors(round), undisturbed.checker().survivors(round));
  }
  EXPECT_LT(largest_difference(killed.model(), undisturbed.model()), kRoundingStep);
  for (const coordinator::MemberStatus& member : killed.status().members) {
    EXPECT_EQ(member.violations, 0U) << killed.report();
    EXPECT_EQ(killed.trained(member.id), std::vector<std::uint64_t>{1});
    EXPECT_EQ(killed.charges(member.id).size(), 2U);
  }
}

TEST(Recovery, ACoordinatorKilledAtAnyMomentGoesOnWithTheSameRound) {
  kill_at_frames(one_round(5), 1, expect_the_same);
}

TEST(Recovery, ARoundOnARingGoesOnAsWell) {
  FederationConfig config = one_round(24, {"secure_aggregation.full_graph_max=8"});
  config.values = 5;
  kill_at_frames(config, 71, expect_the_same);
}

/// A member that is gone stays a dropout; kills change nothing else.
TEST(Recovery, AMemberThatIsGoneStaysADropout) {
  for (Moment moment : kMoments) {
    FederationConfig config =
        one_round(7, {"secure_aggregation.max_colluders=2", "rounds.min_available_participants=4"});
    config.faults = {{.member = MemberId{2}, .moment = moment}};
    kill_at_frames(config, 17, [](Federation& killed, Federation& undisturbed) {
      const RoundNumber first = RoundNumber::of(1, 0);
      EXPECT_EQ(undisturbed.checker().status(first), wire::RoundStatus::kDone);
      EXPECT_EQ(killed.checker().status(first).value_or(wire::RoundStatus::kDone),
                wire::RoundStatus::kDone)
          << killed.report();
    });
  }
}

/// Files from a backup take decisions again, this time without a member that was there before.
/// Members hold to what they answered: the attempt may be lost, and nothing is ever opened but the
/// exact sum of the one S that they endorsed.
TEST(Recovery, AJournalThatIsRolledBackReleasesNothingElse) {
  FederationConfig config = one_round(5, {"rounds.attempts_per_round=2"});
  config.faults = {{.member = MemberId{3}, .moment = Moment::kEndorse}};
  Federation undisturbed(config);
  ASSERT_TRUE(undisturbed.run()) << undisturbed.report();
  std::uint64_t done = 0, runs = 0;
  for (std::uint64_t back : {10U, 20U, 40U})
    for (std::uint64_t frame = back; frame < undisturbed.coordinator_frames(); frame += 7, ++runs) {
      config.coordinator_killed_at_frame = frame;
      Federation federation(config);
      federation.checker().expect_lies();  // it may announce other results than before
      Backup backup(federation);
      federation.interception.to_member = [&](MemberId, RoundNumber, wire::Message message) {
        if (federation.coordinator_frames() == frame - back + 1) backup.make();
        return Messages{std::move(message)};
      };
      ASSERT_TRUE(federation.run()) << federation.report();
      EXPECT_TRUE(federation.failures().empty())
          << "killed at frame " << frame << ", " << back << " back " << federation.report();
      done += federation.checker().status(RoundNumber::of(1, 0)) == wire::RoundStatus::kDone;
    }
  EXPECT_GT(done, 0U);
  EXPECT_LT(done, runs) << "no files were rolled back far enough to cost an attempt";
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

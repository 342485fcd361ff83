// Complaints between real sessions (docs/secure-aggregation.md, "Bad shares"): liars take nobody
// out of a sum, and what is opened never amounts to a secret.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/simulation/world.h"

namespace sotto::simulation {
namespace {

using secagg::Conflict;
using secagg::ConflictEnd;
using wire::RoundStatus;

constexpr MemberId kLiar{101}, kVictim{103}, kHolder{105};

/// One member lies about another one's share, which spoils what it seals for a third.
WorldConfig with_complaints(std::uint32_t participants) {
  WorldConfig config{.participants = participants, .colluders = 1, .rounds = 2};
  config.false_complaints = {{kLiar, kVictim}};
  config.bad_ciphertexts = {{kLiar, kHolder}};
  return config;
}

void expect_everybody_in_every_sum(const World& world, const WorldConfig& config) {
  EXPECT_TRUE(world.failures().empty()) << world.report();
  ASSERT_EQ(world.rounds().size(), config.rounds);
  for (const RoundRecord& round : world.rounds()) {
    EXPECT_EQ(round.status, RoundStatus::kDone) << world.report();
    EXPECT_EQ(round.survivors.size(), config.participants) << world.report();
    EXPECT_EQ(round.rejections, 0U);
  }
}

TEST(Complaints, AFalseOneAndATrueOneLeaveEverybodyInTheSum) {
  const WorldConfig config = with_complaints(5);
  World world(1, {}, config);
  world.run();
  expect_everybody_in_every_sum(world, config);
  for (const RoundRecord& round : world.rounds()) {
    EXPECT_EQ(round.conflicts, (std::vector<Conflict>{{kHolder, kLiar, ConflictEnd::kOpened},
                                                      {kLiar, kVictim, ConflictEnd::kOpened}}));
    EXPECT_EQ(world.checker().openings(round.round), 2U);
    EXPECT_TRUE(round.evidence.empty());
  }
}

TEST(Complaints, OnARingToo) {
  WorldConfig config = with_complaints(24);
  config.full_graph_max = 8;
  config.values = 5;
  // Whom it has a share of follows from the ring.
  World probe(2, {}, {.participants = 24, .full_graph_max = 8, .rounds = 1, .values = 5});
  const RoundNumber first = RoundNumber::of(1, 0);
  const auto ring = probe.cohort(first);
  config.rounds = 1;
  config.false_complaints = {{ring.at(3).id, ring.at(4).id}};
  config.bad_ciphertexts = {{ring.at(3).id, ring.at(2).id}};
  World world(2, {}, config);
  world.run();
  expect_everybody_in_every_sum(world, config);
  EXPECT_EQ(world.checker().openings(first), 2U);
}

TEST(Complaints, WhoDealsAnotherShareThanItCommitsToIsAnOffenderAndOut) {
  WorldConfig config{.participants = 5, .rounds = 1};
  config.bad_shares = {{kVictim, kHolder}};
  World world(3, {}, config);
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  const RoundRecord& round = world.rounds().at(0);
  EXPECT_EQ(round.status, RoundStatus::kDone) << world.report();
  EXPECT_EQ(round.conflicts, (std::vector<Conflict>{{kHolder, kVictim, ConflictEnd::kWrong}}));
  EXPECT_EQ(std::ranges::count(round.survivors, kVictim), 0);
  EXPECT_EQ(std::ranges::count(round.survivors, kHolder), 1);
  ASSERT_EQ(round.evidence.size(), 1U);
  EXPECT_EQ(round.evidence[0].kind, secagg::EvidenceKind::kWrongOpening);
}

TEST(Complaints, ACoordinatorKilledAtAnyMomentGoesOnWithTheSameRound) {
  WorldConfig config = with_complaints(5);
  config.rounds = 1;
  World undisturbed(4, {}, config);
  undisturbed.run();
  expect_everybody_in_every_sum(undisturbed, config);
  for (std::uint64_t moment = 0; moment < undisturbed.moments(); ++moment) {
    config.coordinator_killed = {moment};
    World killed(4, {}, config);
    killed.run();
    SCOPED_TRACE("killed at moment " + std::to_string(moment));
    EXPECT_EQ(killed.kills(), 1U);
    expect_everybody_in_every_sum(killed, config);
  }
}

TEST(Complaints, LossyAndFlappingLinksNeverGiveAWrongSum) {
  for (std::uint64_t seed = 50; seed < 60; ++seed) {
    WorldConfig config = with_complaints(7);
    config.colluders = 2;
    config.links.loss = 0.02;
    config.flaps = 0.01;
    World world(seed, {}, config);
    world.run();
    EXPECT_TRUE(world.failures().empty()) << world.report();
  }
}

}  // namespace
}  // namespace sotto::simulation

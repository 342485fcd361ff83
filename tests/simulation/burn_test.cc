// Burning a round over real sites and a bad network (docs/secure-aggregation.md, 2.7 and 2.11).
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/simulation/world.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

MemberId id(std::uint32_t i) {
  return MemberId{101 + 2 * i};
}

bool saw(World& world, std::uint32_t i, participant::SessionEvent::Kind kind) {
  return std::ranges::any_of(world.site(id(i)).events(),
                             [&](const auto& event) { return event.kind == kind; });
}

/// Two of five die before their uploads are whole: S stays below Q = 4. They return at once.
FaultPlan two_crash(Moment moment) {
  FaultPlan plan;
  for (std::uint32_t i : {1U, 3U})
    plan.push_back({.member = id(i),
                    .moment = moment,
                    .kind = Fault::Kind::kCrash,
                    .restart_after = Duration(300)});
  return plan;
}

TEST(AbortRounds, UploadsOfARoundWithoutASumAreFreedAndTheNextRoundWorks) {
  for (Moment moment : {Moment::kUpload, Moment::kUploadBytes}) {
    World world(11, two_crash(moment), {.participants = 5, .rounds = 2});
    world.run();
    EXPECT_TRUE(world.failures().empty()) << world.report();
    EXPECT_EQ(world.rounds()[0].status, RoundStatus::kAborted) << world.report();
    EXPECT_EQ(world.rounds()[1].status, RoundStatus::kDone) << world.report();
    for (std::uint32_t i : {0U, 2U, 4U})
      EXPECT_TRUE(saw(world, i, participant::SessionEvent::Kind::kFreed));
    EXPECT_FALSE(saw(world, 1, participant::SessionEvent::Kind::kFreed))
        << "what a process uploaded before it died is gone with it";
  }
}

TEST(AbortRounds, MembersThatRestartedOrNeverJoinedVoteToo) {
  // 0 crashes while it would join, so U1 are the other four; 3 crashes before its upload.
  const FaultPlan plan{{.member = id(0),
                        .moment = Moment::kAdvertise,
                        .kind = Fault::Kind::kCrash,
                        .restart_after = Duration(300)},
                       {.member = id(3),
                        .moment = Moment::kUpload,
                        .kind = Fault::Kind::kCrash,
                        .restart_after = Duration(300)}};
  World world(12, plan, {.participants = 5, .rounds = 2});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  EXPECT_EQ(world.rounds()[0].status, RoundStatus::kAborted) << world.report();
  EXPECT_TRUE(world.checker().voted(id(0), world.rounds()[0].round));
  EXPECT_TRUE(world.checker().voted(id(3), world.rounds()[0].round));
  EXPECT_EQ(world.rounds()[1].survivors.size(), 5U) << world.report();
}

TEST(AbortRounds, TooFewVotesLoseTheRound) {
  FaultPlan plan = two_crash(Moment::kUpload);
  for (std::uint32_t i : {0U, 2U})
    plan.push_back({.member = id(i), .moment = Moment::kAbortVote});
  World world(13, plan, {.participants = 5, .rounds = 2});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  EXPECT_EQ(world.rounds()[0].status, RoundStatus::kLost) << world.report();
  EXPECT_FALSE(saw(world, 4, participant::SessionEvent::Kind::kFreed));
}

TEST(AbortRounds, AFreedUpdateGoesIntoTheNextAttemptWithoutTrainingOrAChargeAgain) {
  World world(17, two_crash(Moment::kUploadBytes), {.participants = 5, .rounds = 1, .attempts = 3});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  ASSERT_EQ(world.rounds().size(), 2U) << world.report();
  EXPECT_EQ(world.rounds()[0].status, RoundStatus::kAborted);
  EXPECT_EQ(world.rounds()[1].status, RoundStatus::kDone) << world.report();
  EXPECT_EQ(world.rounds()[1].survivors.size(), 5U);
  for (std::uint32_t i = 0; i < 5; ++i) {
    const Site& site = world.site(id(i));
    const bool crashed = i == 1 || i == 3;  // its update died with it, charged as it was
    EXPECT_EQ(site.trainings(), crashed ? 2U : 1U) << i;
    EXPECT_EQ(world.charges(site), crashed ? 2U : 1U) << i;
    EXPECT_EQ(site.input_id(world.rounds()[0].round) == site.input_id(world.rounds()[1].round),
              !crashed);
    const auto& first = site.input(world.rounds()[0].round)->lanes[0].words();
    const auto& second = site.input(world.rounds()[1].round)->lanes[0].words();
    EXPECT_NE(first, second) << "encoded afresh: its rounding is not that of the first time";
  }
}

TEST(AbortRounds, ALostUpdateIsNotSentAgain) {
  FaultPlan plan = two_crash(Moment::kUpload);
  for (std::uint32_t i : {0U, 2U})
    plan.push_back({.member = id(i), .moment = Moment::kAbortVote});
  World world(15, plan, {.participants = 5, .rounds = 1, .attempts = 3});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  EXPECT_EQ(world.rounds()[0].status, RoundStatus::kLost) << world.report();
  EXPECT_EQ(world.rounds().back().status, RoundStatus::kDone) << world.report();
  const Site& survivor = world.site(id(4));
  EXPECT_EQ(survivor.trainings(), 2U);
  EXPECT_EQ(world.charges(survivor), 2U);
}

/// Crashes that keep most rounds from a sum, and a network that loses requests, votes and
/// certificates: whatever comes out, never both certificates, and never a freed upload without Q
/// votes.
TEST(AbortRounds, OverALossyNetworkNoRoundIsBothAbortedAndOpened) {
  std::uint64_t aborted = 0, opened = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    crypto::StreamRandom random(seed);
    WorldConfig config{.participants = static_cast<std::uint32_t>(4 + random.below(4)),
                       .rounds = 2,
                       .attempts = 2,
                       .flaps = 0.01 * random.unit()};
    config.links.loss = 0.03 * random.unit();
    config.links.max_delay = Duration(static_cast<Duration::rep>(1 + random.below(300)));
    FaultPlan plan;
    for (std::uint32_t i = 0; i < config.participants; ++i)
      if (random.below(2) == 0)
        plan.push_back({.member = id(i),
                        .round = random.below(2),
                        .moment = kMoments[3 + random.below(3)],
                        .kind = random.below(3) == 0 ? Fault::Kind::kSilent : Fault::Kind::kCrash,
                        .restart_after = Duration(static_cast<Duration::rep>(random.below(3000)))});
    World world(seed, plan, config);
    world.run();
    EXPECT_TRUE(world.failures().empty()) << world.report();
    for (const auto& record : world.rounds()) {
      aborted += record.status == RoundStatus::kAborted;
      opened += record.status == RoundStatus::kDone;
      std::uint32_t votes = 0, endorsements = 0;
      for (std::uint32_t i = 0; i < config.participants; ++i) {
        votes += world.checker().voted(id(i), record.round);
        endorsements += world.checker().endorsed(id(i), record.round);
      }
      const auto Q = secagg::complete_graph_thresholds(config.participants, 1)->Q;  // NOLINT
      EXPECT_FALSE(votes >= Q && endorsements >= Q) << world.report();
      EXPECT_TRUE(record.status != RoundStatus::kAborted || votes >= Q) << world.report();
    }
  }
  EXPECT_GT(aborted, 10U);
  EXPECT_GT(opened, 10U);
}

}  // namespace
}  // namespace sotto::simulation

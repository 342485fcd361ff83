// Attempts without a sum are aborted where enough members vote for it, so that their uploads are
// free for the next attempt (docs/secure-aggregation.md, 2.7 and 2.11).
#include <algorithm>

#include <gtest/gtest.h>

#include "common/secagg/shared/cohort.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

using Kind = Fault::Kind;
using wire::RoundStatus;

const RoundNumber kFirst = RoundNumber::of(1, 0);

FederationConfig five_members(FaultPlan faults) {
  return {.seed = 11,
          .members = 5,
          .job = small_job({"rounds.num_server_rounds=1", "rounds.attempts_per_round=100"}),
          .faults = std::move(faults)};
}

/// Two of five die before their uploads are whole: S stays below Q = 4.
FaultPlan two_crash(Moment moment) {
  return {{.member = MemberId{2}, .moment = moment, .kind = Kind::kCrash},
          {.member = MemberId{4}, .moment = moment, .kind = Kind::kCrash}};
}

/// Two more members become silent before they vote to abort the round.
FaultPlan too_few_votes() {
  FaultPlan plan = two_crash(Moment::kUpload);
  plan.push_back({.member = MemberId{1}, .moment = Moment::kAbortVote});
  plan.push_back({.member = MemberId{3}, .moment = Moment::kAbortVote});
  return plan;
}

bool was_freed(const Federation& federation, std::uint32_t member) {
  return federation.site_lines_with(MemberId{member}, "round 1: burnt") > 0;
}

/// Charges of the first server round that cost something.
std::ptrdiff_t paid(const Federation& federation, std::uint32_t member) {
  return std::ranges::count_if(
      federation.charges(MemberId{member}),
      [](const privacy::LedgerEntry& entry) { return entry.charge.without_privacy; });
}

void expect_complete(Federation& federation) {
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_EQ(federation.exit_code(), 0) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.done_rounds(), 2U) << federation.report();
}

TEST(AbortRounds, UploadsOfARoundWithoutASumAreFreedAndTheNextRoundWorks) {
  for (Moment moment : {Moment::kUpload, Moment::kUploadBytes}) {
    Federation federation(five_members(two_crash(moment)));
    expect_complete(federation);
    EXPECT_EQ(federation.checker().status(kFirst), RoundStatus::kAborted) << federation.report();
    for (std::uint32_t id : {1U, 3U, 5U})
      EXPECT_TRUE(was_freed(federation, id)) << id;
    for (std::uint32_t id : {2U, 4U})
      EXPECT_FALSE(was_freed(federation, id))
          << "what a process uploaded before it died is gone with it";
  }
}

TEST(AbortRounds, MembersThatRestartedOrNeverJoinedVoteToo) {
  // Member 1 crashes while it would join, so U1 are the other four; member 4 before its upload.
  Federation federation(
      five_members({{.member = MemberId{1}, .moment = Moment::kAdvertise, .kind = Kind::kCrash},
                    {.member = MemberId{4}, .moment = Moment::kUpload, .kind = Kind::kCrash}}));
  expect_complete(federation);
  EXPECT_EQ(federation.checker().status(kFirst), RoundStatus::kAborted) << federation.report();
  EXPECT_TRUE(federation.checker().voted(MemberId{1}, kFirst));
  EXPECT_TRUE(federation.checker().voted(MemberId{4}, kFirst));
}

TEST(AbortRounds, TooFewVotesLoseTheRound) {
  Federation federation(five_members(too_few_votes()));
  expect_complete(federation);
  EXPECT_EQ(federation.checker().status(kFirst), RoundStatus::kLost) << federation.report();
  for (std::uint32_t id = 1; id <= 5; ++id)
    EXPECT_FALSE(was_freed(federation, id)) << id;
}

TEST(AbortRounds, ALostUpdateIsNotSentAgain) {
  Federation federation(five_members(too_few_votes()));
  expect_complete(federation);
  ASSERT_EQ(federation.checker().status(kFirst), RoundStatus::kLost) << federation.report();
  for (std::uint32_t id = 1; id <= 5; ++id) {
    EXPECT_EQ(federation.trained(MemberId{id}).size(), 2U) << id;
    EXPECT_EQ(paid(federation, id), 2) << id;
  }
}

/// Crashes that keep most rounds from a sum, and a network that loses requests, votes and
/// certificates: whatever happens, never both certificates (the checker), and never a freed upload
/// without Q votes.
TEST(AbortRounds, OverALossyNetworkNoRoundIsBothAbortedAndOpened) {
  std::uint64_t abort_certificate = 0, opened = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    crypto::StreamRandom random(seed);
    FederationConfig config = five_members({});
    config.seed = seed;
    config.members = static_cast<std::uint32_t>(4 + random.below(4));
    config.links.loss = 0.03 * random.unit();
    config.links.max_delay = Duration(static_cast<Duration::rep>(1 + random.below(300)));
    config.links.break_on_delivery = 0.01 * random.unit();
    for (std::uint32_t id = 1; id <= config.members; ++id)
      if (random.below(2) == 0)
        config.faults.push_back({.member = MemberId{id},
                                 .round = random.below(2),
                                 .moment = kMoments[3 + random.below(3)],
                                 .kind = random.below(3) == 0 ? Kind::kSilent : Kind::kCrash});
    Federation federation(config);
    ASSERT_TRUE(federation.run()) << federation.report();
    EXPECT_TRUE(federation.failures().empty()) << federation.report();
    for (const auto& record : federation.rounds()) {
      abort_certificate += record.status == RoundStatus::kAborted;
      opened += record.status == RoundStatus::kDone;
      const RoundNumber round =
          RoundNumber::of(record.server_round, static_cast<std::uint16_t>(record.attempt));
      std::uint32_t votes = 0, endorsements = 0;
      for (std::uint32_t id = 1; id <= config.members; ++id) {
        votes += federation.checker().voted(MemberId{id}, round);
        endorsements += federation.checker().endorsed(MemberId{id}, round);
      }
      const auto Q = secagg::complete_graph_thresholds(record.cohort, 1)->Q;  // NOLINT
      EXPECT_FALSE(votes >= Q && endorsements >= Q) << federation.report();
      EXPECT_TRUE(record.status != RoundStatus::kAborted || votes >= Q) << federation.report();
    }
  }
  EXPECT_GT(abort_certificate, 10U);
  EXPECT_GT(opened, 10U);
}

}  // namespace
}  // namespace sotto::simulation

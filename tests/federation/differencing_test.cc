// Two sums over cohorts that differ by one member give that member's counters by subtraction
// (docs/secure-aggregation.md, 2.7, "Counters once a server round"). A coordinator that tries meets
// production participants, with the policy's defaults.
#include <gtest/gtest.h>

#include "common/job/plan.h"
#include "common/secagg/shared/transcript.h"
#include "tests/federation/backup.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

constexpr std::uint64_t kClosing = 3;  // after the two training rounds of small_job()
constexpr MemberId kTarget{5};

FederationConfig five_members() {
  return {.members = 5, .job = small_job({"rounds.attempts_per_round=3"})};
}

bool somebody_advertised(Federation& federation, RoundNumber round) {
  for (std::uint32_t id = 1; id <= 5; ++id)
    if (federation.checker().advertised(MemberId{id}, round)) return true;
  return false;
}

/// The coordinator had the sum of the closing evaluation, forgets that and tries again without one
/// of the members. `restart_sites` ends the processes of all members meanwhile.
void expect_one_closing_sum(bool restart_sites) {
  Federation federation(five_members());
  Backup backup(federation);
  const RoundNumber first = RoundNumber::of(kClosing, 0);
  bool summed = false;
  federation.interception.to_member = [&](MemberId, RoundNumber round, wire::Message message) {
    if (std::holds_alternative<wire::RoundResult>(message) && !summed) {
      if (round.server_round() + 1 == kClosing) backup.make();
      summed = round == first;
      if (summed) throw ProcessKilled{};
    }
    return Messages{std::move(message)};
  };
  federation.interception.to_coordinator = [&](MemberId from, RoundNumber, wire::Message message) {
    return summed && from == kTarget ? Messages{} : Messages{std::move(message)};
  };
  ASSERT_TRUE(federation.run_until([&] { return summed; })) << federation.report();
  EXPECT_EQ(federation.checker().survivors(first).size(), 5U);
  EXPECT_EQ(federation.checker().shares_revealed(first), 25U) << "a sum over all five";
  if (restart_sites)
    for (std::uint32_t id = 1; id <= 5; ++id)
      federation.simulation().kill(MemberId{id}, Loss::kNothing);
  const std::uint64_t offers = federation.offers(MemberId{1});
  federation.checker().expect_lies();
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_GE(federation.offers(MemberId{1}), offers + 3) << "nothing was refused";
  EXPECT_EQ(federation.checker().shares_revealed(first), 25U);
  for (std::uint16_t attempt = 1; attempt < 10; ++attempt)
    EXPECT_FALSE(somebody_advertised(federation, RoundNumber::of(kClosing, attempt))) << attempt;
  EXPECT_NE(federation.status().detail.find("there is no closing evaluation"), std::string::npos)
      << federation.status().detail;
}

TEST(Differencing, TheClosingEvaluationIsSummedOnce) {
  expect_one_closing_sum(false);
}

TEST(Differencing, ARestartOfTheSitesChangesNothing) {
  expect_one_closing_sum(true);
}

/// The coordinator hides the answers to its certificate from its own records, so that the attempt
/// counts as lost, and asks for the counters again.
TEST(Differencing, AnotherAttemptAtATrainingRoundIsJoinedWithoutCountersAlone) {
  Federation federation(five_members());
  const RoundNumber first = RoundNumber::of(1, 0), again = RoundNumber::of(1, 1);
  std::vector<encoding::LaneSpec> with_counters;
  federation.interception.to_coordinator = [&](MemberId, RoundNumber round, wire::Message message) {
    const bool hidden = round == first && std::holds_alternative<wire::UnmaskResponse>(message);
    return hidden ? Messages{} : Messages{std::move(message)};
  };
  federation.interception.to_member = [&](MemberId, RoundNumber round, wire::Message message) {
    auto* m0 = std::get_if<wire::Offer>(&message);
    if (m0 != nullptr && round == first) with_counters = m0->header.lanes;
    if (m0 != nullptr && round == again) {
      EXPECT_NE(m0->header.lanes, with_counters) << "an honest coordinator does not ask for them";
      m0->header.lanes = with_counters;
      secagg::sign_offer(federation.coordinator_key(), *m0);
    }
    return Messages{std::move(message)};
  };
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.checker().shares_revealed(first), 25U);
  EXPECT_FALSE(somebody_advertised(federation, again));
  const auto rounds = federation.rounds();
  ASSERT_EQ(rounds.size(), 5U) << federation.report();
  EXPECT_EQ(rounds[0].status, RoundStatus::kLost);
  EXPECT_EQ(rounds[1].status, RoundStatus::kCancelled);
  EXPECT_EQ(rounds[2].attempt, 2U);
  EXPECT_EQ(rounds[2].status, RoundStatus::kDone) << federation.report();
  EXPECT_FALSE(rounds[2].evaluation.has_value());
  EXPECT_NE(federation.trained_on(MemberId{1}, 2), federation.initial_model().hash())
      << "its update is whole";
  EXPECT_EQ(rounds[3].status, RoundStatus::kDone);
  EXPECT_TRUE(rounds[3].evaluation.has_value()) << "the next server round counts again";
}

TEST(Differencing, AClosingEvaluationWithoutCountersIsRefused) {
  Federation federation(five_members());
  federation.interception.to_member = [&](MemberId, RoundNumber round, wire::Message message) {
    if (auto* m0 = std::get_if<wire::Offer>(&message); m0 && round.server_round() == kClosing) {
      const auto without = encoding::without_metrics(job::encoding_of(federation.job()));
      m0->header.lanes = encoding::lane_specs(without, 0, m0->header.n);
      secagg::sign_offer(federation.coordinator_key(), *m0);
    }
    return Messages{std::move(message)};
  };
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_GE(federation.offers(MemberId{1}), 5U) << "two training rounds and three attempts";
  for (std::uint16_t attempt = 0; attempt < 10; ++attempt)
    EXPECT_FALSE(somebody_advertised(federation, RoundNumber::of(kClosing, attempt))) << attempt;
}

}  // namespace
}  // namespace sotto::simulation

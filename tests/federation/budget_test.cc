// The participant-level budget of a site under noise inside the sums: a lost attempt is paid for,
// and a run that the sites cannot pay for any more stops with that reason.
#include <gtest/gtest.h>

#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

FederationConfig noisy(FaultPlan faults, double max_participant_epsilon) {
  return {.members = 4,
          .job = small_job({"rounds.num_server_rounds=4", "rounds.attempts_per_round=20",
                            "distributed_privacy.enabled=true",
                            "distributed_privacy.noise_multiplier=2",
                            "secure_aggregation.expected_dropout_percent=25"}),
          .faults = std::move(faults),
          .max_participant_epsilon = max_participant_epsilon};
}

// Two uploads are whole and nobody can tell whether the sum was opened: the round is lost, not
// given up, so all four pay for it twice, and their budget is for the job's four rounds alone.
TEST(ParticipantBudget, ASpentBudgetStopsTheRunWithThatReason) {
  Federation unlimited(noisy({}, 0));
  ASSERT_TRUE(unlimited.run()) << unlimited.report();
  ASSERT_EQ(unlimited.done_rounds(), 5U) << "four of training and the evaluation";
  const double job = unlimited.charges(MemberId{1}).back().participant_epsilon_after;

  FaultPlan faults;
  for (const std::uint32_t id : {3U, 4U})
    faults.push_back({.member = MemberId{id},
                      .round = 1,
                      .moment = Moment::kEndorse,
                      .kind = Fault::Kind::kCrash,
                      .restart_after = Duration(500)});
  Federation federation(noisy(faults, job * 1.001));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.exit_code(), 3) << federation.report();
  EXPECT_EQ(federation.done_rounds(), 3U) << federation.report();
  const std::string why = "the participant-level privacy budget of this site is spent";
  EXPECT_NE(federation.status().detail.find(why), std::string::npos) << federation.status().detail;
  EXPECT_GE(federation.lines_with("the run stops: "), 1U);
  for (std::uint32_t id = 1; id <= 4; ++id) {
    const double spent = federation.charges(MemberId{id}).back().participant_epsilon_after;
    EXPECT_LE(spent, job * 1.001) << id;
    EXPECT_GT(spent, job * 0.9) << "four releases";
  }
}

}  // namespace
}  // namespace sotto::simulation

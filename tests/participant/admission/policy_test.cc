// What a site agrees to (participant/admission/policy.h): one test a rule, each from a job that is
// accepted.
#include "participant/admission/policy.h"

#include <limits>

#include <gtest/gtest.h>

namespace sotto::participant {
namespace {

struct Case {
  config::SitePolicy policy;
  config::JobConfig job;
  JobContext context;
};

Case accepted_case() {
  Case c;
  c.policy.max_epsilon = 10;
  c.policy.max_epsilon_per_job = 8;
  c.policy.allowed_tasks = {"sequence_classification"};
  c.job.task.type = "sequence_classification";
  c.job.rounds.min_available_participants = 4;
  c.job.rounds.num_server_rounds = 20;
  c.policy.min_cohort = 3;
  c.policy.max_colluders = c.job.secure_aggregation.max_colluders = 1;
  c.job.differential_privacy.target_epsilon = 8;
  c.context.federation = FederationFacts{.participants = 4, .coordinator = {7}};
  c.context.cost = PrivacyCost{.epsilon_spent = 0,
                               .epsilon_after_job = 8,
                               .job_epsilon = 8,
                               .noise_multiplier = 1.5,
                               .training_units = 500};
  return c;
}

std::vector<std::string> reasons(const Case& c) {
  std::vector<std::string> out;
  for (const PolicyResult& policy_result : evaluate_policy(c.policy, c.job, c.context))
    if (policy_result.outcome == RuleOutcome::kViolated) out.push_back(policy_result.reason);
  return out;
}

/// Exactly one refusal, and it says `part`.
void expect_refused(const Case& c, std::string_view part) {
  const std::vector<std::string> found = reasons(c);
  ASSERT_EQ(found.size(), 1u) << (found.size() > 1 ? found[1] : "accepted");
  EXPECT_NE(found[0].find(part), std::string::npos) << found[0];
}

TEST(Policy, AcceptsAJobWithinAllLimits) {
  EXPECT_TRUE(reasons(accepted_case()).empty());
}

TEST(Policy, ASiteThatDemandsPersonsRefusesJobsThatProtectExamples) {
  Case c = accepted_case();
  c.policy.required_unit = privacy::ProtectedUnit::kPerson;
  expect_refused(c, "does not protect persons");
  c.job.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
  EXPECT_TRUE(reasons(c).empty());
  c.policy.require_differential_privacy = false;
  c.job.differential_privacy.enabled = false;
  expect_refused(c, "does not protect persons");
}

TEST(Policy, AJobThatProtectsPersonsNeedsTheirColumnAndTheirDeclaredNumber) {
  config::JobConfig job = accepted_case().job;
  config::SiteData data;
  data.training_examples = 500;
  EXPECT_FALSE(undeclared(data, job));
  job.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
  const auto column = undeclared(data, job);
  ASSERT_TRUE(column);
  EXPECT_NE(column->detail.find("\"person\": COLUMN"), std::string::npos) << column->detail;
  data.layout.person = "patient";
  const auto number = undeclared(data, job);
  ASSERT_TRUE(number) << "the number of examples is none of persons";
  EXPECT_NE(number->detail.find("\"training_persons\": N"), std::string::npos) << number->detail;
  data.training_persons = 40;
  EXPECT_FALSE(undeclared(data, job));
  data.training_examples = 0;
  EXPECT_FALSE(undeclared(data, job)) << "the number of examples is not used";
  job.differential_privacy.unit = privacy::ProtectedUnit::kExample;
  EXPECT_TRUE(undeclared(data, job)) << "nor the number of persons for examples";
}

TEST(Policy, RefusesMoreEpsilonThanAJobMayUse) {
  Case c = accepted_case();
  c.job.differential_privacy.target_epsilon = 8.5;
  expect_refused(c, "asks for epsilon 8.5; this site allows at most 8 for a job");
}

TEST(Policy, ADeltaOfOneOverTheNumberOfExamplesIsAWarningForTheSiteAlone) {
  Case c = accepted_case();
  c.policy.delta = 1e-4;
  c.job.differential_privacy.target_delta = 1e-4;
  c.context.cost->training_units = 9999;
  EXPECT_TRUE(delta_warnings(c.policy, c.job, 9999).empty());
  c.context.cost->training_units = 10000;
  EXPECT_TRUE(reasons(c).empty());
  const auto both = delta_warnings(c.policy, c.job, 10000);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_NE(both[0].find("target_delta 1e-04 is 1/N or more for the N = 10000"), std::string::npos);
  EXPECT_NE(both[1].find("policy.delta 1e-04"), std::string::npos);
  c.job.differential_privacy.target_delta = 1e-6;
  EXPECT_EQ(delta_warnings(c.policy, c.job, 10000).size(), 1u);
  c.job.differential_privacy.enabled = false;
  EXPECT_TRUE(delta_warnings(c.policy, c.job, 10000).empty());
}

TEST(Policy, RefusesADeltaOfOneOverTheNumberOfExamplesWhereItSaysSoAndKeepsTheNumber) {
  Case c = accepted_case();
  c.policy.require_small_delta = true;
  c.context.cost->training_units = 99999;
  EXPECT_TRUE(reasons(c).empty());
  c.context.cost->training_units = 100000;
  expect_refused(c, "delta is one over the number of this site's training examples");
  EXPECT_EQ(reasons(c)[0].find("100000"), std::string::npos);
}

TEST(Policy, RefusesAFixedNoiseThatCostsMoreThanAJobMayUse) {
  Case c = accepted_case();
  c.job.differential_privacy.noise_multiplier = 0.5;
  c.context.cost->job_epsilon = 9;
  expect_refused(c, "with the job's noise multiplier 0.5");
}

TEST(Policy, RefusesAJobThatOverdrawsTheLifetimeBudget) {
  Case c = accepted_case();
  c.context.cost->epsilon_spent = 5;
  c.context.cost->epsilon_after_job = 10.5;
  expect_refused(c, "lifetime budget of this site's data, epsilon 10");
}

TEST(Policy, RefusesWhatTheLedgerWouldRefuseThoughTheFiguresFit) {
  Case c = accepted_case();
  c.context.cost->beyond_lifetime = true;
  expect_refused(c, "lifetime budget of this site's data, epsilon 10");
  c.context.cost->lifetime_reason = "the budget is another job's";
  expect_refused(c, "the budget is another job's");
  c = accepted_case();
  c.context.cost->beyond_job = true;
  expect_refused(c, "with the earlier charges of this job");
  c = accepted_case();
  c.policy.max_lost_epsilon_per_job = 2;
  EXPECT_TRUE(reasons(c).empty());
  c.context.cost->lost_epsilon_after_job = 2.5;
  expect_refused(c, "would be charged again; this site allows at most 2");
}

TEST(Policy, RefusesALargerDeltaThanItsOwn) {
  Case c = accepted_case();
  c.job.differential_privacy.target_delta = 1e-4;
  expect_refused(c, "asks for delta 1e-04; this site allows at most 1e-05");
}

TEST(Policy, RefusesAnEpsilonThatIsNotANumber) {
  Case c = accepted_case();
  c.context.cost->epsilon_after_job = std::numeric_limits<double>::quiet_NaN();
  expect_refused(c, "lifetime budget");
}

TEST(Policy, RefusesLessNoiseThanItsFloor) {
  Case c = accepted_case();
  c.policy.min_noise_multiplier = 2;
  expect_refused(c, "less noise than the noise multiplier 2");
}

TEST(Policy, RefusesASmallerCohort) {
  Case c = accepted_case();
  c.policy.min_cohort = 5;
  c.context.federation->participants = 9;
  expect_refused(c,
                 "may have only 4 participants; this site takes part only in sums of at least 5");
}

/// fraction_train takes no fewer than min_available_participants.
TEST(Policy, ASampledCohortHasTheJobsLeastNumberAtTheLeast) {
  Case c = accepted_case();
  c.policy.min_cohort = 4;
  c.job.rounds.fraction_train = 0.5;
  EXPECT_TRUE(reasons(c).empty());
  c.policy.min_cohort = 5;
  c.context.federation->participants = 9;
  expect_refused(c, "may have only 4 participants");
}

/// The rule is about sums. The job's own s_min may be smaller than the demand: the round's header
/// is then to say the larger one.
TEST(Policy, ShowsTheLeastSumThatARoundHasForThisSite) {
  Case c = accepted_case();
  c.job.rounds.min_available_participants = c.context.federation->participants = 10;
  const auto shown = [&] {
    for (const PolicyResult& policy_result : evaluate_policy(c.policy, c.job, c.context))
      if (policy_result.rule == "min_cohort") return policy_result.asked;
    return std::string();
  };
  EXPECT_EQ(shown(), "sums of 6 or more in rounds of 10 or more");
  c.policy.min_cohort = 9;
  EXPECT_EQ(shown(), "sums of 9 or more in rounds of 10 or more");
}

/// Before a folder has joined a federation nobody knows the defaults.
TEST(Policy, LeavesRulesOpenThatFollowFromTheFederation) {
  Case c = accepted_case();
  c.policy.min_cohort = c.policy.max_colluders = 0;
  std::size_t open = 0;
  for (const PolicyResult& policy_result : evaluate_policy(c.policy, c.job, c.context))
    open += policy_result.outcome == RuleOutcome::kUndecided &&
            policy_result.allowed == "a value that follows from the federation";
  EXPECT_EQ(open, 2U);
}

TEST(Policy, RefusesADrawnCohortThatIsTooSmall) {
  Case c = accepted_case();
  c.policy.min_cohort = 4;
  c.job.secure_aggregation.cohort_size = 3;
  expect_refused(c,
                 "may have only 3 participants; this site takes part only in sums of at least 4");
  c.job.secure_aggregation.cohort_size = 4;
  EXPECT_TRUE(reasons(c).empty());
}

TEST(Policy, RefusesCohortsOfTheCoordinatorsChoiceOnADrawnRing) {
  Case c = accepted_case();
  c.job.rounds.min_available_participants = 6;
  c.job.rounds.fraction_train = 0.5;
  c.job.secure_aggregation.full_graph_max = 3;
  expect_refused(c, "chooses the participants of a round");
  c.job.rounds.fraction_train = 1;
  EXPECT_TRUE(reasons(c).empty());
}

TEST(Policy, RefusesAFederationThatIsTooSmall) {
  Case c = accepted_case();
  c.context.federation->participants = 2;
  expect_refused(c, "the federation has 2 participants");
}

TEST(Policy, RefusesAJobWithoutSecureAggregation) {
  Case c = accepted_case();
  c.job.secure_aggregation.enabled = false;
  expect_refused(c, "no secure aggregation");
  c.policy.require_secure_aggregation = false;
  EXPECT_TRUE(reasons(c).empty());
}

TEST(Policy, RefusesProtectionAgainstFewerColluders) {
  Case c = accepted_case();
  c.policy.max_colluders = 2;
  expect_refused(c, "against 1 colluding participants; this site requires protection against at");
}

TEST(Policy, RefusesAJobWithoutDifferentialPrivacy) {
  Case c = accepted_case();
  c.job.differential_privacy.enabled = false;
  c.context.cost->job_epsilon = c.context.cost->epsilon_after_job =
      std::numeric_limits<double>::infinity();
  c.context.cost->noise_multiplier = 0;
  expect_refused(c, "no differential privacy");
  c.policy.require_differential_privacy = false;
  EXPECT_TRUE(reasons(c).empty());
}

TEST(Policy, RefusesAPrivateJobAfterANonPrivateOneOnTheSameData) {
  Case c = accepted_case();
  c.policy.require_differential_privacy = false;
  c.context.cost->epsilon_spent = c.context.cost->epsilon_after_job =
      std::numeric_limits<double>::infinity();
  expect_refused(c, "lifetime budget");
}

/// A job with noise inside its sums, on data that may be sent under it.
Case noisy_case() {
  Case c = accepted_case();
  c.policy.max_participant_epsilon = 6;
  c.policy.min_participant_noise_multiplier = 1.5;
  c.job.distributed_privacy.enabled = true;
  c.context.cost->participant_epsilon_after_job = 6;
  c.context.cost->participant_noise_multiplier = 1.5;
  return c;
}

TEST(Policy, AcceptsNoiseInsideTheSumWithinItsLimits) {
  EXPECT_TRUE(reasons(noisy_case()).empty());
}

TEST(Policy, RefusesLessNoiseInsideTheSumThanItsFloor) {
  Case c = noisy_case();
  c.context.cost->participant_noise_multiplier = 1.25;
  expect_refused(c, "has the noise multiplier 1.25; this site requires at least 1.5");
}

TEST(Policy, RefusesAJobThatOverdrawsTheParticipantLevelBudget) {
  Case c = noisy_case();
  c.context.cost->participant_epsilon_after_job = 6.5;
  expect_refused(c, "exceed the participant-level budget of this site, epsilon 6");
  c.context.cost->participant_epsilon_after_job = std::numeric_limits<double>::infinity();
  expect_refused(c, "participant-level budget");
  c.policy.max_participant_epsilon = 0;
  EXPECT_TRUE(reasons(c).empty()) << "a site that keeps no such budget";
}

TEST(Policy, RefusesAJobWithoutNoiseInsideTheSumWhereItRequiresSome) {
  Case c = noisy_case();
  c.job.distributed_privacy.enabled = false;
  EXPECT_EQ(reasons(c).size(), 2u) << "the budget and the floor";
  c.policy.max_participant_epsilon = 0;
  expect_refused(c, "no distributed_privacy");
  c.policy.max_participant_epsilon = 6;
  c.policy.min_participant_noise_multiplier = 0;
  expect_refused(c, "no distributed_privacy");
  c.policy.max_participant_epsilon = 0;
  EXPECT_TRUE(reasons(c).empty());
}

TEST(Policy, RefusesAnUnknownTask) {
  Case c = accepted_case();
  c.job.task.type = "language_modelling";
  expect_refused(
      c, "the job has the task language_modelling; this site allows only sequence_classification");
  c.policy.allowed_tasks.clear();
  expect_refused(c, "allows none");
}

TEST(Policy, RefusesTooManyRounds) {
  Case c = accepted_case();
  c.policy.max_server_rounds = 19;
  expect_refused(c, "has 20 rounds; this site allows at most 19");
}

TEST(Policy, RefusesRoundsThatMayLastTooLong) {
  Case c = accepted_case();
  c.policy.max_round_s = 3899;
  expect_refused(c, "may last 3900 s; this site allows at most 3899 s");
}

TEST(Policy, NamesEveryBrokenRule) {
  Case c = accepted_case();
  c.job.secure_aggregation.enabled = false;
  c.job.differential_privacy.target_epsilon = 100;
  c.job.task.type = "other";
  EXPECT_EQ(reasons(c).size(), 3u);
}

TEST(Policy, NeverSaysWhatFollowsFromTheNumberOfExamples) {
  Case c = accepted_case();
  c.policy.min_noise_multiplier = 3;
  c.context.cost = PrivacyCost{.epsilon_spent = 777.25,
                               .epsilon_after_job = 778.25,
                               .job_epsilon = 779.25,
                               .noise_multiplier = 0.78125};
  ASSERT_EQ(reasons(c).size(), 3u);
  for (const std::string& reason : reasons(c)) {
    EXPECT_EQ(reason.find("77"), std::string::npos) << reason;
    EXPECT_EQ(reason.find("0.78"), std::string::npos) << reason;
  }
}

}  // namespace
}  // namespace sotto::participant

#include "participant/privacy/account.h"

#include <limits>

#include "common/job/participant_privacy.h"

namespace sotto::participant {

namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// Returns a text that may be sent to the coordinator.
std::string said_of(privacy::Limit limit) {
  switch (limit) {
    case privacy::Limit::kLifetime:
      return "the privacy budget of this site is spent";
    case privacy::Limit::kEnded:
      return "a job without differential privacy has ended the privacy budget of this site's data "
             "permanently";
    case privacy::Limit::kOtherUnit:
      return "the privacy budget of this site's data is kept for another unit (single examples, or "
             "persons) than the one that this job protects";
    case privacy::Limit::kOtherJob:
      return "another job has the privacy budget of this site's data for itself; only a larger "
             "max_epsilon of the site could allow this job";
    case privacy::Limit::kJob:
      return "all runs and attempts of this job together have used the epsilon that this site "
             "allows a job";
    case privacy::Limit::kLostAttempts:
      return "lost attempts at rounds of this job have used the epsilon that this site allows a "
             "job for lost attempts";
    case privacy::Limit::kParticipant:
      return "the participant-level privacy budget of this site is spent";
  }
  return {};
}

void take(const std::vector<privacy::Refusal>& refusals, PrivacyCost& cost) {
  using privacy::Limit;
  for (const auto& [limit, message] : refusals) {
    const bool reserved =
        limit == Limit::kEnded || limit == Limit::kOtherUnit || limit == Limit::kOtherJob;
    cost.beyond_lifetime = cost.beyond_lifetime || reserved || limit == Limit::kLifetime;
    if (reserved) cost.lifetime_reason = said_of(limit);
    cost.beyond_job = cost.beyond_job || limit == Limit::kJob;
  }
}

}  // namespace

SiteAccount account_of(const config::SiteConfig& site, const config::JobConfig& job,
                       const RunId& run, const privacy::DpSgdSteps& steps) {
  const config::SitePolicy& policy = site.policy;
  SiteAccount account{.dataset_id = site.data.dataset_id,
                      .run = run,
                      .job_hash = job.hash,
                      .job_name = job.name,
                      .planned = std::uint64_t{job.rounds.num_server_rounds} +
                                 job.differential_privacy.spare_rounds,
                      .unit = job.unit()};
  if (job.protects_persons())
    account.examples_per_person = job.differential_privacy.examples_per_person;
  account.budget = {.max_epsilon = kNoLimit, .delta = policy.delta};
  if (job.differential_privacy.enabled) {
    account.steps = steps;
    account.budget.max_epsilon = policy.max_epsilon;
    account.budget.job = {.max_epsilon = policy.max_epsilon_per_job,
                          .delta = job.differential_privacy.target_delta};
    if (policy.max_lost_epsilon_per_job > 0)
      account.budget.job.max_lost_epsilon = policy.max_lost_epsilon_per_job;
  }
  if (policy.max_participant_epsilon > 0)
    account.budget.max_participant_epsilon = policy.max_participant_epsilon;
  return account;
}

privacy::Charge evaluation_charge(const SiteAccount& account, RoundNumber round,
                                  const InputId& input) {
  return {.dataset_id = account.dataset_id,
          .run = account.run,
          .round = round,
          .job_hash = account.job_hash,
          .input = input,
          .job_name = account.job_name,
          .planned = account.planned};
}

privacy::Charge training_charge(const SiteAccount& account, RoundNumber round, const InputId& input,
                                const std::optional<privacy::NoisyRounds>& noise) {
  privacy::Charge charge = evaluation_charge(account, round, input);
  charge.steps = account.steps;
  charge.unit = account.unit;
  charge.examples_per_person = account.examples_per_person;
  charge.without_privacy = !account.steps;
  charge.noise = noise;
  return charge;
}

Status affordable(const privacy::PrivacyLedger& ledger, const SiteAccount& account,
                  const privacy::Charge& charge) {
  SOTTO_ASSIGN_OR_RETURN(const auto refusals, ledger.refusals(charge, account.budget));
  if (refusals.empty()) return {};
  return Error{said_of(refusals.front().limit), ErrorCode::kBudgetExceeded};
}

Result<PrivacyCost> cost_of(const privacy::PrivacyLedger& ledger, const SiteAccount& account,
                            const config::JobConfig& job,
                            const std::optional<encoding::NoiseTerms>& noise) {
  PrivacyCost cost{.job_epsilon = kNoLimit};
  privacy::Charge charge =
      training_charge(account, RoundNumber::of(job.rounds.num_server_rounds, 0), {}, std::nullopt);
  if (charge.steps) {
    privacy::DpSgdSteps whole = *charge.steps;
    whole.steps *= account.planned;
    cost.noise_multiplier = whole.noise_multiplier;
    SOTTO_ASSIGN_OR_RETURN(const auto epsilon,
                           privacy::epsilon_of(whole, job.differential_privacy.target_delta));
    cost.job_epsilon = epsilon;
  }
  if (noise) {
    SOTTO_ASSIGN_OR_RETURN(const auto all, job::noise_of_job(job, *noise));
    charge.noise = all;
    cost.participant_noise_multiplier = noise->noise_multiplier;
  }
  SOTTO_ASSIGN_OR_RETURN(const auto outlook, ledger.outlook(charge, account.budget));
  cost.epsilon_spent = outlook.before.epsilon;
  cost.participant_epsilon_spent = outlook.before.participant_epsilon;
  cost.epsilon_after_job = outlook.after.epsilon;
  cost.participant_epsilon_after_job = outlook.after.participant_epsilon;
  cost.takes_whole_budget = outlook.takes_whole_budget;
  cost.lost_epsilon_after_job = outlook.lost_epsilon;
  take(outlook.refusals, cost);
  return cost;
}

}  // namespace sotto::participant

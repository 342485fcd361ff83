#include "participant/account.h"

#include <limits>

#include "common/run/participant_privacy.h"

namespace sotto::participant {

namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

}  // namespace

SiteAccount account_of(const config::SiteConfig& site, const config::JobConfig& job,
                       const RunId& run, const privacy::DpSgdSteps& steps) {
  const config::SitePolicy& policy = site.policy;
  SiteAccount account{
      .dataset_id = site.data.dataset_id, .run = run, .job_hash = job.hash, .budget = {}};
  account.budget = {.max_epsilon = kNoLimit, .delta = policy.delta};
  if (job.differential_privacy.enabled) {
    account.steps = steps;
    account.budget.max_epsilon = policy.max_epsilon;
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
          .steps = std::nullopt,
          .input = input};
}

privacy::Charge training_charge(const SiteAccount& account, RoundNumber round, const InputId& input,
                                const std::optional<privacy::NoisyRounds>& noise) {
  privacy::Charge charge = evaluation_charge(account, round, input);
  charge.steps = account.steps;
  charge.without_privacy = !account.steps;
  charge.noise = noise;
  return charge;
}

Status affordable(const privacy::PrivacyLedger& ledger, const SiteAccount& account,
                  const privacy::Charge& charge) {
  const auto after = ledger.both_spent_after(charge, account.budget.delta);
  if (!after.ok()) return after.error();
  if (!(after->epsilon <= account.budget.max_epsilon))
    return Error{"the privacy budget of this site is spent"};
  if (!(after->participant_epsilon <= account.budget.max_participant_epsilon))
    return Error{"the participant-level privacy budget of this site is spent"};
  return {};
}

Result<PrivacyCost> cost_of(const privacy::PrivacyLedger& ledger, const SiteAccount& account,
                            const config::JobConfig& job,
                            const std::optional<codec::NoiseTerms>& noise) {
  PrivacyCost cost{.job_epsilon = kNoLimit};
  const double delta = account.budget.delta;
  const auto spent = ledger.both_spent(account.dataset_id, delta);
  if (!spent.ok()) return spent.error();
  cost.epsilon_spent = spent->epsilon;
  cost.participant_epsilon_spent = spent->participant_epsilon;
  privacy::Charge whole =
      training_charge(account, RoundNumber::of(job.rounds.num_server_rounds, 0), {}, std::nullopt);
  if (whole.steps) {
    whole.steps->steps *= job.rounds.num_server_rounds;
    cost.noise_multiplier = whole.steps->noise_multiplier;
    const auto epsilon = privacy::epsilon_of(*whole.steps, job.differential_privacy.target_delta);
    if (!epsilon.ok()) return epsilon.error();
    cost.job_epsilon = *epsilon;
  }
  if (noise) {
    const auto all = run::noise_of_job(job, *noise);
    if (!all.ok()) return all.error();
    whole.noise = *all;
    cost.participant_noise_multiplier = noise->noise_multiplier;
  }
  const auto after = ledger.both_spent_after(whole, delta);
  if (!after.ok()) return after.error();
  cost.epsilon_after_job = after->epsilon;
  cost.participant_epsilon_after_job = after->participant_epsilon;
  return cost;
}

}  // namespace sotto::participant

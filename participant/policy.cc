#include "participant/policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace sotto::participant {

namespace {

std::string text_of(double v) {
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), v);
  return {digits.data(), end};
}

std::string text_of(std::uint64_t v) {
  return std::to_string(v);
}

/// False for NaN: what cannot be compared is not accepted.
bool within(double asked, double allowed) {
  return asked <= allowed;
}

/// The fewest updates that a round of this job may sum.
std::uint64_t smallest_cohort(const config::JobConfig& job) {
  constexpr double kRoundingSlack = 1e-9;  // 0.3 * 10 is 3
  const config::RoundsSection& rounds = job.rounds;
  const double part = rounds.fraction_train * rounds.min_available_participants;
  const auto smallest = static_cast<std::uint64_t>(std::floor(part + kRoundingSlack));
  const std::uint32_t drawn = job.secure_aggregation.cohort_size;
  return drawn == 0 ? smallest : std::min<std::uint64_t>(smallest, drawn);
}

std::uint64_t longest_round_s(const config::RoundsSection& rounds) {
  constexpr std::uint64_t kShortPhases = 5;  // advertise, share, check, endorse, unmask
  return kShortPhases * rounds.phase_timeout_s + rounds.training_timeout_s;
}

/// (epsilon, delta) says little then: publishing an example picked at random has no larger delta.
bool is_one_over(double delta, std::uint64_t examples) {
  return !(delta * static_cast<double>(examples) < 1);
}

class Decision {
 public:
  Decision(const config::SitePolicy& policy, const config::JobConfig& job,
           const JobContext& context)
      : policy_(policy), job_(job), context_(context) {}

  std::vector<std::string> take() {
    task();
    secure_aggregation();
    cohort();
    rounds();
    participant_level();
    if (job_.differential_privacy.enabled)
      privacy();
    else if (policy_.require_differential_privacy)
      refuse("the job has no differential privacy; this site requires it");
    return std::move(reasons_);
  }

 private:
  void refuse(std::string reason) { reasons_.push_back(std::move(reason)); }

  void task() {
    const auto& allowed = policy_.allowed_tasks;
    if (std::find(allowed.begin(), allowed.end(), job_.task.type) != allowed.end()) return;
    std::string names;
    for (const std::string& name : allowed)
      names += (names.empty() ? "" : ", ") + name;
    refuse("the job's task is " + job_.task.type + "; this site allows " +
           (names.empty() ? "none" : "only " + names));
  }

  void secure_aggregation() {
    const config::SecureAggregationSection& asked = job_.secure_aggregation;
    if (!asked.enabled) {
      if (policy_.require_secure_aggregation)
        refuse("the job has no secure aggregation; this site requires it");
      return;
    }
    if (asked.max_colluders < policy_.max_colluders)
      refuse("the job protects against " + text_of(std::uint64_t{asked.max_colluders}) +
             " colluding participants; this site requires protection against at least " +
             text_of(std::uint64_t{policy_.max_colluders}));
    // Above full_graph_max a run has a genesis, and the coordinator does not choose cohorts.
    if (context_.roster_participants > asked.full_graph_max && job_.rounds.fraction_train < 1)
      refuse(
          "the coordinator of the job chooses who is in a round, although its graphs are drawn "
          "by lot; secure_aggregation.cohort_size does this without a choice");
  }

  void cohort() {
    const std::uint64_t smallest = smallest_cohort(job_);
    if (smallest < policy_.min_cohort)
      refuse("a round of the job may have only " + text_of(smallest) +
             " participants; this site takes part from " +
             text_of(std::uint64_t{policy_.min_cohort}));
    if (context_.roster_participants < policy_.min_cohort)
      refuse("the federation has " + text_of(std::uint64_t{context_.roster_participants}) +
             " participants; this site takes part from " +
             text_of(std::uint64_t{policy_.min_cohort}));
  }

  void rounds() {
    if (job_.rounds.num_server_rounds > policy_.max_server_rounds)
      refuse("the job has " + text_of(std::uint64_t{job_.rounds.num_server_rounds}) +
             " rounds; this site allows at most " +
             text_of(std::uint64_t{policy_.max_server_rounds}));
    if (const std::uint64_t longest = longest_round_s(job_.rounds); longest > policy_.max_round_s)
      refuse("a round of the job may last " + text_of(longest) + " s; this site allows at most " +
             text_of(policy_.max_round_s) + " s");
  }

  // What noise inside the sum costs follows from the job alone; only the spending is the site's
  // own.
  void participant_level() {
    const bool budgeted = policy_.max_participant_epsilon > 0;
    if (!job_.distributed_privacy.enabled) {
      if (budgeted || policy_.min_participant_noise_multiplier > 0)
        refuse("the job has no distributed_privacy; this site requires noise inside the sum");
      return;
    }
    if (!within(policy_.min_participant_noise_multiplier, context_.participant_noise_multiplier))
      refuse("the noise inside the job's sums has the multiplier " +
             text_of(context_.participant_noise_multiplier) + "; this site requires at least " +
             text_of(policy_.min_participant_noise_multiplier));
    if (budgeted &&
        !within(context_.participant_epsilon_after_job, policy_.max_participant_epsilon))
      refuse(
          "the job would take what this site sends past its participant-level budget of epsilon " +
          text_of(policy_.max_participant_epsilon));
  }

  // The site's own epsilon, its spending and a calibrated noise multiplier follow from its number
  // of examples, so the sentences name only what the job and the policy say.
  void privacy() {
    const config::DifferentialPrivacySection& asked = job_.differential_privacy;
    if (!within(asked.target_epsilon, policy_.max_epsilon_per_job))
      refuse("the job asks for epsilon " + text_of(asked.target_epsilon) +
             "; this site allows at most " + text_of(policy_.max_epsilon_per_job) + " a job");
    else if (!within(context_.job_epsilon, policy_.max_epsilon_per_job))
      refuse("with the job's noise multiplier " + text_of(asked.noise_multiplier) +
             " this site's data would be charged more than the epsilon " +
             text_of(policy_.max_epsilon_per_job) + " that it allows a job");
    if (!within(context_.epsilon_after_job, policy_.max_epsilon))
      refuse("the job would take this site's data past its lifetime budget of epsilon " +
             text_of(policy_.max_epsilon));
    if (!within(asked.target_delta, policy_.delta))
      refuse("the job asks for delta " + text_of(asked.target_delta) +
             "; this site allows at most " + text_of(policy_.delta));
    if (policy_.require_small_delta && is_one_over(asked.target_delta, context_.training_examples))
      refuse(
          "the job's delta is one over the number of this site's training examples or more; "
          "this site requires a smaller one");
    if (!within(policy_.min_noise_multiplier, context_.noise_multiplier))
      refuse("the job would run here with less noise than the multiplier " +
             text_of(policy_.min_noise_multiplier) + " that this site requires");
  }

  const config::SitePolicy& policy_;
  const config::JobConfig& job_;
  const JobContext& context_;
  std::vector<std::string> reasons_;
};

}  // namespace

std::vector<std::string> refusals(const config::SitePolicy& policy, const config::JobConfig& job,
                                  const JobContext& context) {
  return Decision(policy, job, context).take();
}

std::vector<std::string> delta_warnings(const config::SitePolicy& policy,
                                        const config::JobConfig& job,
                                        std::uint64_t training_examples) {
  std::vector<std::string> out;
  if (!job.differential_privacy.enabled) return out;
  const double asked = job.differential_privacy.target_delta;
  for (const auto& [name, delta] : {std::pair{"the job's differential_privacy.target_delta", asked},
                                    std::pair{"this site's policy.delta", policy.delta}})
    if (is_one_over(delta, training_examples))
      out.push_back(std::string(name) + " " + text_of(delta) +
                    " is 1/N or more for the N = " + text_of(training_examples) +
                    " training examples here: so much would hold for handing out a whole one; "
                    "choose a delta well below 1/N");
  return out;
}

std::string joined(const std::vector<std::string>& reasons) {
  std::string out;
  for (const std::string& reason : reasons)
    out += (out.empty() ? "" : "; ") + reason;
  return out;
}

}  // namespace sotto::participant

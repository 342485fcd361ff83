#include "participant/admission/explanation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "common/config/model_files.h"
#include "common/job/collusion.h"
#include "common/job/participant_privacy.h"
#include "common/job/privacy_statement.h"
#include "common/privacy/accounting/accountant.h"
#include "common/tasks/words.h"
#include "participant/admission/job_kind.h"

namespace sotto::participant {

namespace {

using nlohmann::json;
using tasks::list_of;

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return std::isfinite(value) ? text : "without bound";
}

/// The number of rounds in which something is sent, including the closing evaluation.
std::uint64_t rounds_of(const config::JobConfig& job) {
  return std::uint64_t{job.rounds.num_server_rounds} + 1;
}

/// Returns epsilon of the steps of one round alone; no value without DP-SGD.
Result<std::optional<double>> epsilon_of_round(const ExplainedJob& e) {
  if (!e.assessment.account.steps) return std::optional<double>();
  SOTTO_ASSIGN_OR_RETURN(
      const auto epsilon,
      privacy::epsilon_of(*e.assessment.account.steps, e.job.differential_privacy.target_delta));
  return std::optional(epsilon);
}

std::string learning(const ExplainedJob& e) {
  const config::JobConfig& job = e.job;
  std::string out = "What the job trains\n";
  out += "  " + job.make_task()->purpose() + "\n";
  out +=
      "  The server optimizer that applies the mean update is " + job.server_optimizer.type + ".\n";
  out += "  The digest of the model is " + to_hex(config::model_digest(job.model)) + ".\n";
  const auto& model = e.assessment.context.model;
  if (!model) return out;
  out += "  The model belongs to the family " + model->family + ". The job trains and sends " +
         (job.lora.r > 0 ? "adapters of rank " + std::to_string(job.lora.r)
                         : std::string("the whole model")) +
         ": " + std::to_string(e.assessment.initial->values.size()) + " parameters of " +
         std::to_string(model->modules.size()) + " modules.\n";
  if (job.lora.r > 0) out += "  The trained modules are " + list_of(model->modules, 6) + ".\n";
  return out + "  In each round the site fetches " + shown(model->model_mb) + " MB and sends " +
         shown(model->update_mb) + " MB of masked numbers. In all " +
         std::to_string(job.rounds.num_server_rounds) + " rounds together it sends " +
         shown(model->update_mb * job.rounds.num_server_rounds) + " MB.\n";
}

Result<std::string> cost(const ExplainedJob& e) {
  const auto& cost = e.assessment.context.cost;
  const config::DifferentialPrivacySection& dp = e.job.differential_privacy;
  std::string out = "Privacy cost\n";
  if (!dp.enabled)
    out +=
        "  The job has no differential privacy. After its first round no epsilon bounds what this "
        "data set has lost, permanently,\n  and no job with differential privacy is accepted on "
        "this data set any more. A larger budget does not undo this.\n";
  if (!cost)
    return out +
           "  The cost is not known, because the evaluation of the job ended before it reached "
           "this site's data.\n";
  SOTTO_ASSIGN_OR_RETURN(const auto round, epsilon_of_round(e));
  if (round)
    out +=
        "  One round alone costs epsilon " + shown(*round) + " and the whole job costs epsilon " +
        shown(cost->job_epsilon) + ", at delta " + shown(dp.target_delta) +
        ", for adding or removing " + job::unit_of(e.job) +
        ".\n  Each figure is the smaller of the "
        "bounds by privacy loss distributions and by Rényi divergence. The noise multiplier is " +
        shown(cost->noise_multiplier) + ".\n";
  out += "  The data set '" + e.site.data.dataset_id + "' has spent epsilon " +
         shown(cost->epsilon_spent) + " so far and will have spent epsilon " +
         shown(cost->epsilon_after_job) + " after the job. Its lifetime budget is epsilon " +
         shown(e.site.policy.max_epsilon) + " at delta " + shown(e.site.policy.delta) + ".\n";
  if (cost->takes_whole_budget)
    out +=
        "  The job needs the whole budget: after its first round no other job is charged on this "
        "data set, unless policy.max_epsilon is raised.\n";
  if (e.job.distributed_privacy.enabled)
    out += "  For everything that this site sends, it has spent epsilon " +
           shown(cost->participant_epsilon_spent) + " so far and will have spent epsilon " +
           shown(cost->participant_epsilon_after_job) + " after the job.\n";
  return out;
}

std::string published(const ExplainedJob& e) {
  return "What other parties see\n  All parties in the federation see the model after each round, "
         "and sums over all sites of a round of " +
         list_of(e.job.make_task()->counter_names(), 3) +
         ",\n  which are counted on this site's evaluation split once in each round" +
         (e.job.evaluation.counter_noise_multiplier > 0 ? " and contain noise of every site" : "") +
         ".\n  They also see that this site takes part, and when.\n";
}

std::vector<job::StatementParagraph> statement(const ExplainedJob& e) {
  job::StatementFacts facts{.answer_every_s = e.site.policy.answer_every_s};
  if (const auto declared = e.site.data.declared(e.job.unit()); declared > 0)
    facts.declared_units = declared;
  return job::privacy_statement(e.job, facts);
}

std::string protections(const ExplainedJob& e) {
  const config::SecureAggregationSection& s = e.job.secure_aggregation;
  if (!s.enabled)
    return "Protection of the updates\n  The job has no secure aggregation: the coordinator sees "
           "the update of each site.\n";
  const std::uint32_t least = e.site.policy.min_cohort;
  std::string out =
      "Protection of the updates\n  Updates are masked: the coordinator sees only sums over at "
      "least " +
      std::to_string(std::max(job::smallest_sum(e.job), least)) + " sites.\n";
  const auto& federation = e.assessment.context.federation;
  if (!federation || s.max_colluders == 0)
    return out +
           "  The number of colluding members that could see this site's update follows from the "
           "federation, which this folder has not joined.\n";
  return out + "  " +
         job::collusion_sentence(e.job, federation->participants, least,
                                 "the job protects against") +
         "\n";
}

std::string duration(const ExplainedJob& e) {
  const config::JobConfig& job = e.job;
  return "Duration\n  The job has " + std::to_string(job.rounds.num_server_rounds) + " rounds of " +
         std::to_string(job.local_training.local_steps) +
         " training steps and a closing evaluation, which this site runs on " +
         std::to_string(e.site.resources.threads) +
         (e.site.resources.threads == 1 ? " thread" : " threads") + " of the device " +
         std::string(config::word_of(e.site.resources.device)) + ".\n  A round may last " +
         std::to_string(longest_round_s(job)) + " s and the job " +
         shown(longest_run_s(job) / 3600) +
         " hours, if each takes all the time that the job allows. The speed of this machine is not "
         "measured.\n";
}

std::string rules(const Assessment& a) {
  std::string out = "Rules of site.json\n";
  for (const PolicyResult& r : a.policy_results) {
    char line[64];
    std::snprintf(line, sizeof line, "  %-7s %-32s ", std::string(name(r.outcome)).c_str(),
                  std::string(r.rule).c_str());
    out += line + (r.asked.empty() ? "" : r.asked + "; ") + "allowed: " + r.allowed + "\n";
  }
  return out;
}

std::string outcome(const ExplainedJob& e) {
  const Assessment& a = e.assessment;
  std::string out;
  for (const std::string& warning : a.warnings)
    out += "Warning: " + warning + "\n";
  if (a.obstacle) out += "Obstacle: " + *a.obstacle + "\n";
  switch (a.answer) {
    case Answer::kAccept:
      out += "This site would accept the job";
      break;
    case Answer::kPostpone:
      out += "This site would postpone the job: " + a.reason;
      break;
    case Answer::kDecline:
      out += "This site would decline the job: " + a.reason;
      break;
  }
  for (const PolicyResult& r : a.policy_results)
    if (r.outcome == RuleOutcome::kUndecided)
      return out + ". The rules that are marked open are evaluated when the job is offered.";
  return out + ".";
}

/// Returns null for infinity, which JSON lacks: there is no bound.
json finite(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

json json_of(const PrivacyCost& cost, const config::JobConfig& job) {
  return {{"epsilon_spent", finite(cost.epsilon_spent)},
          {"epsilon_after_job", finite(cost.epsilon_after_job)},
          {"job_epsilon", finite(cost.job_epsilon)},
          {"takes_whole_budget", cost.takes_whole_budget},
          {"noise_multiplier", cost.noise_multiplier},
          {"participant_epsilon_spent", finite(cost.participant_epsilon_spent)},
          {"participant_epsilon_after_job", finite(cost.participant_epsilon_after_job)},
          {"participant_noise_multiplier", cost.participant_noise_multiplier},
          {job.protects_persons() ? "training_persons" : "training_examples", cost.training_units}};
}

}  // namespace

std::string_view name(Answer answer) {
  switch (answer) {
    case Answer::kAccept:
      return "accept";
    case Answer::kPostpone:
      return "postpone";
    case Answer::kDecline:
      return "decline";
  }
  return "";
}

std::string_view name(RuleOutcome outcome) {
  switch (outcome) {
    case RuleOutcome::kMet:
      return "meets";
    case RuleOutcome::kUndecided:
      return "open";
    case RuleOutcome::kPostponed:
      return "not_now";
    case RuleOutcome::kViolated:
      return "breaks";
  }
  return "";
}

Result<std::string> describe(const ExplainedJob& e) {
  SOTTO_ASSIGN_OR_RETURN(const auto spent, cost(e));
  return "Job '" + e.job.name + "' with the hash " + to_hex(e.job.hash) +
         (e.kind ? "\nKind of the job for approvals: " + to_hex(*e.kind) : "") + "\n\n" +
         learning(e) + "\n" + spent + "\n" + published(e) + "\n" + protections(e) +
         "\nPrivacy statement\n\n" + job::to_text(statement(e)) + "\n" + duration(e) + "\n" +
         rules(e.assessment) + "\n" + outcome(e);
}

Result<std::string> to_json(const ExplainedJob& e) {
  const Assessment& a = e.assessment;
  SOTTO_ASSIGN_OR_RETURN(const auto round, epsilon_of_round(e));
  json policy_results = json::array();
  for (const PolicyResult& r : a.policy_results)
    policy_results.push_back({{"rule", r.rule},
                              {"verdict", name(r.outcome)},
                              {"asked", r.asked},
                              {"allowed", r.allowed},
                              {"reason", r.reason}});
  json out = {{"job", e.job.name},
              {"job_hash", to_hex(e.job.hash)},
              {"kind", e.kind ? json(to_hex(*e.kind)) : json(nullptr)},
              {"answer", name(a.answer)},
              {"reason", a.reason},
              {"obstacle", a.obstacle ? json(*a.obstacle) : json(nullptr)},
              {"warnings", a.warnings},
              {"task", e.job.task.type},
              {"protects", protected_unit(e.job)},
              {"unit", config::word_of(e.job.unit())},
              {"privacy_statement", json::parse(job::to_json(statement(e)))},
              {"metrics", e.job.make_task()->counter_names()},
              {"model_digest", to_hex(config::model_digest(e.job.model))},
              {"model", nullptr},
              {"cost", a.context.cost ? json_of(*a.context.cost, e.job) : json(nullptr)},
              {"epsilon_of_round", round ? finite(*round) : json(nullptr)},
              {"rounds_with_evaluation", rounds_of(e.job)},
              {"longest_round_s", longest_round_s(e.job)},
              {"longest_run_s", longest_run_s(e.job)},
              {"rules", std::move(policy_results)}};
  if (const auto& model = a.context.model)
    out["model"] = {{"family", model->family},
                    {"parameters", a.initial->values.size()},
                    {"modules", model->modules},
                    {"fetched_mb", model->model_mb},
                    {"sent_mb", model->update_mb}};
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace sotto::participant

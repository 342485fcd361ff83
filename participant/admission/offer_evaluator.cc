#include "participant/admission/offer_evaluator.h"

#include <algorithm>

#include "common/job/plan.h"
#include "participant/admission/approvals.h"
#include "participant/admission/offered_jobs.h"

namespace sotto::participant {

OfferEvaluator::OfferEvaluator(const ParticipantOptions& options, const crypto::SigningKey& signing,
                               const privacy::PrivacyLedger& ledger,
                               const ParticipantObserver& observer)
    : options_(options),
      signing_(signing),
      ledger_(ledger),
      observer_(observer),
      evaluated_(options.evaluated_jobs, options.site.policy.max_jobs_judged_per_day) {}

Assessment OfferEvaluator::assess(const config::JobConfig& job, const RunId& run) {
  const std::uint64_t now = options_.unix_now();
  const Result<bool> admitted = evaluated_.admit(job.hash, now);
  if (!admitted.ok() && observer_.on_warning) observer_.on_warning(admitted.error().message);
  if (!admitted.ok() || !*admitted) {
    Assessment later;
    later.answer = Answer::kPostpone;
    later.reason = "this site has evaluated as many jobs today as its policy permits in a day";
    return later;
  }
  const auto participants = static_cast<std::uint32_t>(job::signers(options_.roster).size());
  return participant::assess(
      job,
      {.site = options_.site,
       .models = options_.models,
       .read_examples = options_.read_examples,
       .ledger = ledger_,
       .run = run,
       .federation = FederationFacts{.participants = participants,
                                     .coordinator = options_.roster.coordinator_signing_key},
       .now = config::local_time(now),
       .consent = consent(job, now)},
      Depth::kUntilAnswered);
}

std::vector<PolicyResult> OfferEvaluator::evaluate_again(const config::JobConfig& job,
                                                         JobContext context) const {
  const std::uint64_t now = options_.unix_now();
  context.now = config::local_time(now);
  context.consent = consent(job, now);
  return evaluate_policy(options_.site.policy, job, context);
}

Consent OfferEvaluator::consent(const config::JobConfig& job, std::uint64_t now) const {
  if (options_.site.policy.require_approval == config::RequiredApproval::kNone ||
      options_.approvals.empty())
    return {};
  const auto approvals = Approvals::read(options_.approvals, options_.approvals_key);
  if (approvals.ok())
    return consent_to(job, options_.roster.coordinator_signing_key, *approvals, now);
  if (observer_.on_warning) observer_.on_warning(approvals.error().message);
  return {};
}

void OfferEvaluator::ask(const config::JobConfig& job,
                         const std::vector<PolicyResult>& policy_results) {
  const bool asks =
      std::any_of(policy_results.begin(), policy_results.end(), [](const PolicyResult& r) {
        return r.rule == "require_approval" && r.outcome == RuleOutcome::kPostponed;
      });
  if (!asks || options_.offered_jobs.empty() || asked_about_ == job.hash) return;
  asked_about_ = job.hash;
  const auto file = keep_offered_job(options_.offered_jobs, job);
  if (!file.ok()) {
    if (observer_.on_warning)
      observer_.on_warning("the offered job could not be stored: " + file.error().message);
    return;
  }
  const std::string at =
      " " + file->string() + " --dir " + options_.offered_jobs.parent_path().string();
  if (observer_.on_log)
    observer_.on_log("The job '" + job.name +
                     "' waits for approval. This command explains what it would learn and cost:\n  "
                     "sotto-participant policy explain" +
                     at + "\nThis command approves it:\n  sotto-participant policy approve" + at +
                     " --by NAME --reason TEXT");
}

}  // namespace sotto::participant

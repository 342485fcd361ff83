// OfferEvaluator collects what this site knows when a job is offered (its clock, approvals and
// federation) and tells the site's staff when an approval is missing. The decision itself is made
// in policy.h and assessment.h.
#pragma once

#include <vector>

#include "common/base/ids.h"
#include "common/config/job.h"
#include "common/crypto/sign.h"
#include "common/privacy/ledger/ledger.h"
#include "participant/admission/assessment.h"
#include "participant/admission/evaluated_jobs.h"
#include "participant/driver/participant.h"

namespace sotto::participant {

class OfferEvaluator {
 public:
  /// All arguments outlive it.
  OfferEvaluator(const ParticipantOptions& options, const crypto::SigningKey& signing,
                 const privacy::PrivacyLedger& ledger, const ParticipantObserver& observer);

  /// Evaluates an offered job. A job beyond policy.max_jobs_judged_per_day is postponed, and no
  /// file is opened for it.
  [[nodiscard]] Assessment assess(const config::JobConfig& job, const RunId& run);
  /// Applies the policy again to a job that was accepted in `context`, with the present clock and
  /// approvals. All else is as it was then.
  [[nodiscard]] std::vector<PolicyResult> evaluate_again(const config::JobConfig& job,
                                                         JobContext context) const;
  /// If an approval is missing, stores the job and logs once which commands show and approve it.
  void ask(const config::JobConfig& job, const std::vector<PolicyResult>& policy_results);

 private:
  [[nodiscard]] Consent consent(const config::JobConfig& job, std::uint64_t now) const;

  const ParticipantOptions& options_;
  const crypto::SigningKey& signing_;
  const privacy::PrivacyLedger& ledger_;
  const ParticipantObserver& observer_;
  EvaluatedJobs evaluated_;
  Bytes32 asked_about_{};  // hash of the job that the log last asked to approve
};

}  // namespace sotto::participant

// What this site knows when a job is offered - its clock, what its people approved, its federation
// - and what it says to its people about it. The decision itself is in policy.h and assessment.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/config/job.h"
#include "common/crypto/sign.h"
#include "common/privacy/ledger/ledger.h"
#include "participant/admission/assessment.h"
#include "participant/admission/judged_jobs.h"
#include "participant/driver/participant.h"

namespace sotto::participant {

class OfferJudge {
 public:
  /// All outlive it.
  OfferJudge(const ParticipantOptions& options, const crypto::SigningKey& signing,
             const privacy::PrivacyLedger& ledger, const ParticipantObserver& observer);

  /// Looks at no file of a job beyond policy.max_jobs_judged_per_day, which is postponed.
  [[nodiscard]] Assessment assess(const config::JobConfig& job, const RunId& run);
  /// The policy once more, for a job that was accepted in `context`: clock and approvals are as
  /// they are now, the rest as it was then.
  [[nodiscard]] std::vector<Ruling> judge_again(const config::JobConfig& job,
                                                JobContext context) const;
  /// Where a person's approval is missing: keeps the job for them, and says once which commands
  /// show it and approve it.
  void ask(const config::JobConfig& job, const std::vector<Ruling>& rulings);

 private:
  [[nodiscard]] Consent consent(const config::JobConfig& job, std::uint64_t now) const;

  const ParticipantOptions& options_;
  const crypto::SigningKey& signing_;
  const privacy::PrivacyLedger& ledger_;
  const ParticipantObserver& observer_;
  JudgedJobs judged_;
  Bytes32 asked_about_{};  // hash of the job that people were told of last
};

}  // namespace sotto::participant

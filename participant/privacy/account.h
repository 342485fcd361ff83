// What an upload of a run costs this site, in both currencies, and whether its budget allows it:
// from policy, job and training, without torch, for the daemon and for simulations.
#pragma once

#include <optional>
#include <string>

#include "common/base/ids.h"
#include "common/config/job.h"
#include "common/config/site.h"
#include "common/encoding/noisy_encoding.h"
#include "common/privacy/ledger/ledger.h"
#include "participant/admission/policy.h"
#include "participant/protocol/guard.h"

namespace sotto::participant {

/// Whom the uploads of one run are charged to.
struct SiteAccount {
  std::string dataset_id;
  RunId run{};
  Bytes32 job_hash{};
  std::string job_name{};
  std::optional<privacy::DpSgdSteps> steps{};  // of a training round; nothing: without DP-SGD
  std::uint64_t planned = 1;                   // releases with such steps
  privacy::Budget budget;
};

/// `steps`: of a training round here. The example-level limits bind jobs with DP-SGD; a site that
/// allows others accepts that they have no bound, and its ledger then says so for ever. The
/// participant-level limit, where the policy has one, binds every job.
SiteAccount account_of(const config::SiteConfig& site, const config::JobConfig& job,
                       const RunId& run, const privacy::DpSgdSteps& steps);

/// Of an update that goes into a sum with this noise (nothing: without).
privacy::Charge training_charge(const SiteAccount& account, RoundNumber round, const InputId& input,
                                const std::optional<privacy::NoisyRounds>& noise);

/// Of counts over the declared evaluation split alone: no protected data.
privacy::Charge evaluation_charge(const SiteAccount& account, RoundNumber round,
                                  const InputId& input);

/// Looked at before a core is spent; the ledger decides again, by the same rule, before anything
/// leaves. The Error is fit for the other side: it names the limit, no figure.
Status affordable(const privacy::PrivacyLedger& ledger, const SiteAccount& account,
                  const privacy::Charge& charge);

/// Of all that the run still plans; without the number of examples, which its trainer knows.
Result<PrivacyCost> cost_of(const privacy::PrivacyLedger& ledger, const SiteAccount& account,
                            const config::JobConfig& job,
                            const std::optional<codec::NoiseTerms>& noise);

}  // namespace sotto::participant

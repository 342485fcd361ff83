// The privacy cost of an upload to this site under both guarantees, and whether the site's budget
// allows it. It is computed from policy, job and training, without torch, for the daemon and for
// simulations.
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

/// SiteAccount identifies what the uploads of one run are charged to.
struct SiteAccount {
  std::string dataset_id;
  RunId run{};
  Bytes32 job_hash{};
  std::string job_name{};
  std::optional<privacy::DpSgdSteps> steps{};  // of a training round; nothing: without DP-SGD
  std::uint64_t planned = 1;                   // releases with such steps
  privacy::ProtectedUnit unit = privacy::ProtectedUnit::kExample;
  std::uint32_t examples_per_person = 1;
  privacy::Budget budget;
};

/// Makes the account of a run. `steps` are those of a training round at this site. The
/// limits for one unit apply to jobs with DP-SGD; a site that allows other jobs accepts that these
/// have no bound, and its ledger records that permanently. The participant-level limit, where the
/// policy has one, applies to every job.
SiteAccount account_of(const config::SiteConfig& site, const config::JobConfig& job,
                       const RunId& run, const privacy::DpSgdSteps& steps);

/// Returns the charge of an update that goes into a sum with this noise (nothing: without noise).
privacy::Charge training_charge(const SiteAccount& account, RoundNumber round, const InputId& input,
                                const std::optional<privacy::NoisyRounds>& noise);

/// Returns the charge of counts over the declared evaluation split, which contains no protected
/// data.
privacy::Charge evaluation_charge(const SiteAccount& account, RoundNumber round,
                                  const InputId& input);

/// Returns an Error where the ledger would refuse the charge. It is called before training, to save
/// the computation; the ledger applies the same rule again before anything leaves. The Error may be
/// sent to the coordinator: it names the limit and contains no figure.
Status affordable(const privacy::PrivacyLedger& ledger, const SiteAccount& account,
                  const privacy::Charge& charge);

/// Returns the cost of everything that the run still plans, without the number of examples, which
/// its trainer knows.
Result<PrivacyCost> cost_of(const privacy::PrivacyLedger& ledger, const SiteAccount& account,
                            const config::JobConfig& job,
                            const std::optional<encoding::NoiseTerms>& noise);

}  // namespace sotto::participant

// Trains the local-only baseline: what a site reaches with its own data at the same privacy, for
// comparison with a federation.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/job.h"
#include "common/config/site.h"
#include "common/privacy/ledger/ledger.h"
#include "participant/data/site_records.h"
#include "participant/training/model_provider.h"

namespace sotto::participant {

struct LocalOnlyResult {
  tasks::Evaluation evaluation{};
  std::optional<double> constant_answer{};  // the first metric of Task::constant_answer()
  double epsilon = 0;  // of this training; infinity without differential privacy
  double delta = 0;
  std::vector<std::string> warnings{};  // with the round: signs that training makes no progress
};

/// Runs the job's rounds and steps on the site's data alone. Each round is charged to the site's
/// ledger.
Result<LocalOnlyResult> train_local_only(const config::JobConfig& job,
                                         const config::SiteConfig& site, SiteRecords& records,
                                         training::ModelProvider& models,
                                         privacy::PrivacyLedger& ledger);

}  // namespace sotto::participant

// What a site reaches without the others, at the same privacy: the baseline that a federation is
// measured against.
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

struct AloneResult {
  double accuracy = 0;
  double macro_f1 = 0;
  std::optional<double> entity_f1{};  // token classification alone: of the micro average
  double perplexity = 0;              // language modeling alone
  double accuracy_majority = 0;       // of always answering the site's own most frequent class
  double epsilon = 0;                 // of this training; infinity without differential privacy
  double delta = 0;
  std::vector<std::string> warnings{};  // with the round: what looks as if it were in vain
};

/// The job's rounds and steps on the site's data alone, each round charged to the site's ledger.
Result<AloneResult> train_alone(const config::JobConfig& job, const config::SiteConfig& site,
                                SiteRecords& records, training::ModelProvider& models,
                                privacy::PrivacyLedger& ledger);

}  // namespace sotto::participant

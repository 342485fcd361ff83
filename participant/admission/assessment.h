// assess() evaluates an offered job completely, cheapest steps first: what follows from the job
// alone, then from the site's copy of the model, then from its data and ledger. The participant's
// answer and `policy explain` both use it, so that they cannot differ.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/config/job.h"
#include "common/config/site.h"
#include "common/encoding/noisy_encoding.h"
#include "common/model/flat_parameters.h"
#include "common/privacy/ledger/ledger.h"
#include "participant/admission/policy.h"
#include "participant/privacy/account.h"
#include "participant/training/model_provider.h"

namespace sotto::participant {

using ReadExamples =
    std::function<Result<data::SiteExamples>(const config::JobConfig&, const config::SiteConfig&)>;

/// The admission context: what a site knows when a job is offered. Everything referred to outlives
/// the assessment.
struct AdmissionContext {
  const config::SiteConfig& site;
  training::ModelProvider& models;
  const ReadExamples& read_examples;
  const privacy::PrivacyLedger& ledger;
  RunId run{};
  /// As in JobContext: the rules about a missing fact stay open.
  std::optional<FederationFacts> federation{};
  std::optional<config::LocalTime> now{};
  std::optional<Consent> consent{};
};

enum class Depth : std::uint8_t {
  kUntilAnswered,  // stops at the first answer; opens no file for a job that is declined without
                   // one
  kWhole           // evaluates every rule, for display; the answer is the same
};

struct Assessment {
  Answer answer = Answer::kAccept;
  std::string reason;  // may be sent: follows from the job, the policy, declared sizes and the
                       // ledger alone; empty when accepted
  /// For every key of the policy, as far as the assessment went.
  std::vector<PolicyResult> policy_results;
  /// The obstacle apart from the policy, if any: files that differ from the job's, data that do not
  /// fit.
  std::optional<std::string> obstacle;
  std::vector<std::string> warnings;  // for the site only
  JobContext context;
  SiteAccount account;

  // Needed to accept the job. Set if the assessment reached them.
  std::optional<FlatParameters> initial;
  std::optional<encoding::NoiseTerms> noise;
  std::unique_ptr<training::Trainer> trainer;
};

/// Evaluates the job. `job.model.path` is the site's own folder.
Assessment assess(const config::JobConfig& job, const AdmissionContext& site_context, Depth depth);

}  // namespace sotto::participant

// Looking at an offered job from end to end, cheapest first: what can be told from the job alone,
// from the site's copy of the model, then from its data and ledger. The participant's answer and
// `policy explain` are both made here, so that they cannot differ.
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

/// Reads the examples of a site for a job.
using ReadExamples = std::function<Result<learning::SiteExamples>(const config::JobConfig&,
                                                                  const config::SiteConfig&)>;

/// What a site knows when a job comes. All of it outlives the assessment.
struct Surroundings {
  const config::SiteConfig& site;
  training::ModelProvider& models;
  const ReadExamples& read_examples;
  const privacy::PrivacyLedger& ledger;
  RunId run{};
  /// As in JobContext; what is missing leaves its rules open.
  std::optional<FederationFacts> federation{};
  std::optional<config::LocalTime> now{};
  std::optional<Consent> consent{};
};

enum class Depth : std::uint8_t {
  kUntilAnswered,  // no file is opened for a job that is refused without it
  kWhole           // every rule, for people; the answer is the same
};

struct Assessment {
  Answer answer = Answer::kAccept;
  std::string reason;  // for both sides, of the job, the policy, declared sizes and the ledger
                       // alone; empty when accepted
  /// Of every key of the policy, as far as was looked.
  std::vector<Ruling> rulings;
  /// What stood in the way beside the policy: other files than the job's, data that do not fit.
  std::optional<std::string> obstacle;
  std::vector<std::string> warnings;  // for the site's people alone
  JobContext context;
  SiteAccount account;

  // What agreeing needs. Set when it was looked so far.
  std::optional<FlatParameters> initial;
  std::optional<codec::NoiseTerms> noise;
  std::unique_ptr<training::Trainer> trainer;
};

/// job.model.path is the site's own.
Assessment assess(const config::JobConfig& job, const Surroundings& around, Depth depth);

}  // namespace sotto::participant

// Describes an assessment for the site's staff: what a job would learn, cost and publish, what
// protects the data, and which rules it meets. Nothing here makes a decision.
#pragma once

#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/config/job.h"
#include "common/config/site.h"
#include "participant/admission/assessment.h"

namespace sotto::participant {

/// The referenced objects outlive it. The assessment was made with Depth::kWhole.
struct ExplainedJob {
  const config::JobConfig& job;
  const config::SiteConfig& site;
  const Assessment& assessment;
  std::optional<Bytes32> kind{};  // set if the coordinator is known
};

/// Returns several lines of text. An Error if the accountant rejects the job's parameters.
Result<std::string> describe(const ExplainedJob& explained);
/// Returns one JSON object with the same content.
Result<std::string> to_json(const ExplainedJob& explained);

std::string_view name(Answer answer);        // "accept", "postpone", "decline"
std::string_view name(RuleOutcome outcome);  // "meets", "open", "not_now", "breaks"

}  // namespace sotto::participant

// An assessment in sentences, for the people of a site: what a job would learn, cost and publish,
// what protects the data, and which rules it meets. Nothing here decides.
#pragma once

#include <optional>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/config/job.h"
#include "common/config/site.h"
#include "participant/admission/assessment.h"

namespace sotto::participant {

/// All outlive it. The assessment is a whole one.
struct ExplainedJob {
  const config::JobConfig& job;
  const config::SiteConfig& site;
  const Assessment& assessment;
  std::optional<Bytes32> kind{};  // where the coordinator is known
};

/// Several lines. An Error when the accountant refuses the job's figures.
Result<std::string> describe(const ExplainedJob& explained);
/// One JSON object with the same content.
Result<std::string> to_json(const ExplainedJob& explained);

std::string_view name(Answer answer);    // "accept", "postpone", "decline"
std::string_view name(Verdict verdict);  // "meets", "open", "not_now", "breaks"

}  // namespace sotto::participant

// The kind of a job. One approval covers all jobs of a kind, because they raise the same question
// for the site.
#pragma once

#include <string>

#include "common/base/bytes.h"
#include "common/config/job.h"

namespace sotto::participant {

/// Returns H("SOTTO job kind") over the task with its labels, the model's configuration, the
/// modules that are trained, what privacy, secure aggregation and model lineage protect, and the
/// coordinator's signing key. Rounds, learning rates, budgets and names are not part of it, because
/// other rules of a policy bound those.
Bytes32 kind_of(const config::JobConfig& job, const Bytes32& coordinator);

/// Returns what the job protects, as `kind_of` distinguishes it: "one training example", "one
/// person", "everything that one participant sends", both, or "nothing".
std::string protected_unit(const config::JobConfig& job);

}  // namespace sotto::participant

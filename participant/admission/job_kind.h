// What kind of job it is: two jobs of a kind ask a site's people the same question, so that one
// answer does for both.
#pragma once

#include <string>

#include "common/base/bytes.h"
#include "common/config/job.h"

namespace sotto::participant {

/// H("SOTTO job kind") over the task with its labels, the model's configuration, the modules that
/// are trained, what privacy, masking and model lineage protect, and the coordinator's signing key.
/// Rounds, learning rates, budgets and names are no part of it: the other rules of a policy bound
/// those.
Bytes32 kind_of(const config::JobConfig& job, const Bytes32& coordinator);

/// What is protected, as `kind_of` tells it apart: "one training example", "everything that one
/// participant sends", both, or "nothing".
std::string protected_unit(const config::JobConfig& job);

}  // namespace sotto::participant

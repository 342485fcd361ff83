// The privacy parameters of local training.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::training {

/// Returns the sampling rate, noise multiplier and steps of one server round of `job` at a site
/// that declares `units` training examples, or persons if the job protects these. The noise is
/// calibrated if the job does not specify it; without differential privacy it is 0. Errors: no
/// unit, a job that samples or trains nothing, a target that no noise reaches.
Result<privacy::DpSgdSteps> dp_steps_per_round(const config::JobConfig& job, std::uint64_t units);

}  // namespace sotto::training

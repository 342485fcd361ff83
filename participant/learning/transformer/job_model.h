// The model that a job specifies. Includes no torch header.
#pragma once

#include "common/base/result.h"
#include "common/config/job.h"
#include "participant/learning/transformer/model_modules.h"

namespace sotto::learning {

/// Returns the model from the model folder's config.json and the job's task. Errors: those of
/// load_transformer_config().
Result<ModelSpec> spec_of(const config::JobConfig& job);

}  // namespace sotto::learning

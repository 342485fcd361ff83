// Which model a job asks for. No torch here.
#pragma once

#include "common/base/result.h"
#include "common/config/job.h"
#include "participant/learning/transformer/model_modules.h"

namespace sotto::learning {

/// From the model folder's config.json and the job's task. Errors as load_transformer_config().
Result<ModelSpec> spec_of(const config::JobConfig& job);

}  // namespace sotto::learning

// The model that a job specifies. Includes no torch header.
#pragma once

#include "common/base/result.h"
#include "common/config/job.h"
#include "participant/learning/transformer/model_modules.h"
#include "participant/text/tokenizer.h"

namespace sotto::learning {

/// Returns the model from the model folder's config.json and the job's task. Errors: those of
/// load_transformer_config().
Result<ModelSpec> spec_of(const config::JobConfig& job);

/// Returns the tokenizer of the job's model folder. Errors: those of load_tokenizer(), more tokens
/// than the model has, and a model.max_length that the model or the tokenizer does not admit.
Result<text::Tokenizer> tokenizer_of(const config::JobConfig& job, const TransformerConfig& shape);

}  // namespace sotto::learning

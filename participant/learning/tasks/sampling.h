// Selects the next token from the logits of a language model. Includes no torch header.
#pragma once

#include <cstdint>
#include <span>

#include "common/crypto/secure_random.h"
#include "participant/training/text_generator.h"

namespace sotto::learning {

/// Returns an index into `logits`, which must not be empty. top_k applies before top_p, and top_p
/// applies to the probabilities at the temperature, as in Hugging Face's generate(). Of equal
/// logits the lower index counts as the more probable. Draws from `random` only if temperature > 0.
std::int32_t next_token(std::span<const float> logits, const training::Sampling& sampling,
                        crypto::StreamRandom& random);

}  // namespace sotto::learning

// Which token follows: from a language model's logits. No torch here.
#pragma once

#include <cstdint>
#include <span>

#include "common/crypto/secure_random.h"
#include "participant/training/text_generator.h"

namespace sotto::learning {

/// An index into `logits`, which are not empty. top_k applies before top_p, and top_p to the
/// probabilities at the temperature, as in Hugging Face's generate(). The lower index of equals
/// counts as the likelier. Draws from `random` only where temperature > 0.
std::int32_t next_token(std::span<const float> logits, const training::Sampling& sampling,
                        crypto::StreamRandom& random);

}  // namespace sotto::learning

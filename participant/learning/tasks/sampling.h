// Which token follows: from a language model's logits. No torch here.
#pragma once

#include <cstdint>
#include <span>

#include "common/crypto/secure_random.h"

namespace sotto::learning {

struct Sampling {
  double temperature = 0;   // what logits are divided by; 0 takes the likeliest token
  std::uint32_t top_k = 0;  // of so many likeliest tokens; 0 = of all
  double top_p = 1;  // of the fewest likeliest tokens that together are as probable (Holtzman
                     // et al. 2020, arXiv 1904.09751), in (0, 1]
};

/// An index into `logits`, which are not empty. top_k applies before top_p, and top_p to the
/// probabilities at the temperature, as in Hugging Face's generate(). The lower index of equals
/// counts as the likelier. Draws from `random` only where temperature > 0.
std::int32_t next_token(std::span<const float> logits, const Sampling& sampling,
                        crypto::StreamRandom& random);

}  // namespace sotto::learning

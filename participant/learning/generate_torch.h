// What a language model goes on with.
#pragma once

#include <cstdint>
#include <vector>

#include "participant/learning/transformer_torch.h"

namespace sotto::learning {

/// `prompt` (one token at least) and up to `count` more, each the likeliest next one; the model's
/// number of positions ends it too. Every token is a whole forward pass: for texts of some hundred
/// tokens.
std::vector<std::int32_t> generate_greedy(const Transformer& model,
                                          std::vector<std::int32_t> prompt, std::size_t count);

}  // namespace sotto::learning

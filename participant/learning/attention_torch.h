// Multi-head scaled dot-product attention over padded sequences.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

struct AttentionInput {
  at::Tensor query, key, value;              // [B,T,d]
  at::Tensor mask;                           // float [B,T]: 1 at a token, 0 at padding
  const std::vector<std::int64_t>& lengths;  // tokens of each example
  std::int64_t heads;                        // divides d
};

/// [B,T,d]. Padding is never attended to; what stands at padded positions is unspecified but
/// finite.
at::Tensor attention(const AttentionInput& in);

/// The same written out in torch operations: any device, and the oracle of the tests.
at::Tensor composed_attention(const AttentionInput& in);

}  // namespace sotto::learning

// Multi-head scaled dot-product attention over padded sequences, and Llama's rotary positions.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

struct AttentionInput {
  at::Tensor query;                          // [B,T,heads * e]
  at::Tensor key, value;                     // [B,S,key_value_heads * e]; if S > T, the queries are
                                             // those of the last T tokens
  at::Tensor mask;                           // float [B,S]: 1 at a token, 0 at padding
  const std::vector<std::int64_t>& lengths;  // tokens of each example
  std::int64_t heads;
  std::int64_t key_value_heads;  // divides heads; consecutive heads share a key and a value
  bool causal = false;           // a token attends to itself and those before it
};

/// Returns [B,T,heads * e]. Padding is never attended to; the values at padded positions are
/// unspecified but finite.
at::Tensor attention(const AttentionInput& in);

/// The same, composed of torch operations. It runs on any device and is the reference of the tests.
/// With queries, keys and values in bfloat16 the products are in bfloat16 too; the softmax is in
/// float32.
at::Tensor composed_attention(const AttentionInput& in);

struct PositionRange {
  std::int64_t first = 0, count = 0;
};

/// Returns the angles of rotary positions [count, e/2] as (cosine, sine). `frequencies` [e/2] are
/// in radians per position.
std::pair<at::Tensor, at::Tensor> rotary_angles(std::span<const double> frequencies,
                                                PositionRange positions, at::Device device);

/// Rotates each head of x [B,T,heads * e]: element i of its first half with element i of its
/// second, as Llama's checkpoints in Hugging Face's layout require (Su et al. 2021, arXiv
/// 2104.09864).
at::Tensor rotate(const at::Tensor& x, const std::pair<at::Tensor, at::Tensor>& angles);

}  // namespace sotto::learning

// Tokenized texts and how they become tensors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// A tokenized text; the label counts where texts are classified.
struct Sequence {
  std::vector<std::int32_t> ids;
  std::int64_t label = 0;
};

/// Texts padded to the longest of them.
struct Batch {
  at::Tensor ids;                     // int64 [B,T]
  at::Tensor labels;                  // int64 [B]
  at::Tensor mask;                    // float [B,T]: 1 at a token, 0 at padding
  std::vector<std::int64_t> lengths;  // B
};

Batch make_batch(std::span<const Sequence* const> sequences, std::int32_t pad, at::Device device);

}  // namespace sotto::learning

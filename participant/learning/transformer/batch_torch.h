// Tokenized texts and how they become tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// Where a batch has no tag.
inline constexpr std::int64_t kNoTag = -100;

struct TaggedWord {
  std::int64_t tag = 0;
  std::optional<std::size_t> at{};  // of its first piece among the ids; none where it was cut off
};

/// A tokenized text; the label counts where texts are classified, the words where words are.
struct Sequence {
  std::vector<std::int32_t> ids;
  std::int64_t label = 0;
  std::vector<TaggedWord> words{};
};

/// Texts padded to the longest of them.
struct Batch {
  at::Tensor ids;                     // int64 [B,T]
  at::Tensor labels;                  // int64 [B]; where words are tagged [B,T]: of a word's first
                                      // piece its tag, kNoTag elsewhere
  at::Tensor mask;                    // float [B,T]: 1 at a token, 0 at padding
  std::vector<std::int64_t> lengths;  // B
};

Batch make_batch(std::span<const Sequence* const> sequences, std::int32_t pad, at::Device device);

}  // namespace sotto::learning

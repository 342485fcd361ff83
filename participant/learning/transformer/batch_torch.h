// Tokenized texts, and their conversion to tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// The label of a position without a tag.
inline constexpr std::int64_t kNoTag = -100;

struct TaggedWord {
  std::int64_t tag = 0;
  std::optional<std::size_t> at{};  // index of its first piece among the ids; none if it was cut
                                    // off
};

/// A tokenized text. `label` is used by tasks that classify texts, `words` by those that classify
/// words.
struct Sequence {
  std::vector<std::int32_t> ids;
  std::int64_t label = 0;
  std::vector<TaggedWord> words{};
};

/// Texts, padded to the length of the longest.
struct Batch {
  at::Tensor ids;                     // int64 [B,T]
  at::Tensor labels;                  // int64 [B]; if words are tagged [B,T]: a word's tag at its
                                      // first piece, kNoTag elsewhere
  at::Tensor mask;                    // float [B,T]: 1 at a token, 0 at padding
  std::vector<std::int64_t> lengths;  // number of tokens of each text [B]
};

Batch make_batch(std::span<const Sequence* const> sequences, std::int32_t pad, at::Device device);

}  // namespace sotto::learning

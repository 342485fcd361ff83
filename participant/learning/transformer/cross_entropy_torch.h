// The loss of a classifier, of a token or of a text, in little memory: a language model's logits
// are larger than any of its layers.
#pragma once

#include <ATen/core/Tensor.h>

namespace sotto::learning {

/// What becomes of the logits in the backward pass.
enum class Logits {
  kKept,
  /// Their gradient is made in their own storage. Nothing may read them then, and a second backward
  /// pass over a retained graph is an error of torch's.
  kConsumed
};

/// -log softmax(logits)[target] of each row [N], from logits float [N,C] and targets int64 [N]; 0
/// where the target is kNoTag. Beside the logits nothing of their size is kept.
at::Tensor cross_entropies(const at::Tensor& logits, const at::Tensor& targets, Logits after);

/// The same for every token [B,T], from logits [B,T,C] and targets int64 [B,T].
at::Tensor token_cross_entropies(const at::Tensor& logits, const at::Tensor& targets, Logits after);

}  // namespace sotto::learning

// The cross entropy of a classifier of tokens or texts, in little memory: a language model's logits
// are larger than any of its layers.
#pragma once

#include <ATen/core/Tensor.h>

#include "participant/learning/transformer/batch_torch.h"

namespace sotto::learning {

/// The use of the logits in the backward pass: kept, or overwritten.
enum class Logits {
  kKept,
  /// Their gradient is written to their own storage. Nothing may read the logits after that, and a
  /// second backward pass over a retained graph is an error in torch.
  kConsumed
};

/// Returns -log softmax(logits)[target] of each row [N], from logits float [N,C] and targets int64
/// [N]; 0 if the target is kNoTag. Besides the logits no tensor of their size is kept.
at::Tensor cross_entropies(const at::Tensor& logits, const at::Tensor& targets, Logits after);

/// The same for every token [B,T], from logits [B,T,C] and targets int64 [B,T].
at::Tensor token_cross_entropies(const at::Tensor& logits, const at::Tensor& targets, Logits after);

/// The same for each token of a text given those before it [B,T], from logits [B,T,vocabulary].
/// Element [i,t] is that of token t + 1, or 0 if there is none.
at::Tensor next_token_losses(const at::Tensor& logits, const Batch& batch, Logits after);

}  // namespace sotto::learning

#include "participant/learning/attention_torch.h"

#include <cmath>

#include <ATen/ATen.h>

namespace sotto::learning {

using at::Tensor;

Tensor composed_attention(const AttentionInput& in) {
  const auto batch = in.query.size(0), positions = in.query.size(1), width = in.query.size(2);
  const auto per_head = width / in.heads;
  const auto split = [&](const Tensor& x) {
    return x.view({batch, positions, in.heads, per_head}).transpose(1, 2);  // [B,H,T,d/H]
  };
  const Tensor hidden = (1 - in.mask).view({batch, 1, 1, positions}) * -1e9;
  const Tensor scores = at::matmul(split(in.query), split(in.key).transpose(2, 3)) *
                        (1 / std::sqrt(static_cast<double>(per_head)));
  const Tensor weights = at::softmax(scores + hidden, 3);
  return at::matmul(weights, split(in.value)).transpose(1, 2).reshape({batch, positions, width});
}

Tensor attention(const AttentionInput& in) {
  return composed_attention(in);
}

}  // namespace sotto::learning

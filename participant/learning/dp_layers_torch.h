// The three layers with parameters that a transformer has, as differentiable functions. Without a
// tape they are the plain operations; with one their backward pass records on it and leaves the
// parameters' gradients alone.
#pragma once

#include "participant/learning/grad_tape_torch.h"

namespace sotto::learning {

/// x [..., in] -> [..., out]; x has a batch dimension and at most one of positions. `bias` may be
/// null.
at::Tensor dp_linear(const at::Tensor& x, const Parameter& weight, const Parameter* bias,
                     GradTape* tape);
/// ids int64 [B,T] -> [B,T,width].
at::Tensor dp_embedding(const at::Tensor& ids, const Parameter& weight, GradTape* tape);
/// Over the last dimension of x [B,T,width] or [B,width].
at::Tensor dp_layer_norm(const at::Tensor& x, const Parameter& weight, const Parameter& bias,
                         double eps, GradTape* tape);

}  // namespace sotto::learning

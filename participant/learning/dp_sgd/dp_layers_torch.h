// The parameterised layers of a transformer as differentiable functions. Without a tape they are
// the plain operations. With one, their backward pass records on it and does not add to the
// parameters' gradients. A parameter that requires no gradient is frozen and is not recorded.
#pragma once

#include "participant/learning/dp_sgd/grad_tape_torch.h"

namespace sotto::learning {

/// Maps x [..., in] -> [..., out]; x has a batch dimension and at most one of positions. `bias` may
/// be null. Computes in the type of x: with x in bfloat16 the product, y and its gradient are in
/// bfloat16 too.
at::Tensor dp_linear(const at::Tensor& x, const Parameter& weight, const Parameter* bias,
                     GradTape* tape);
/// The same with GPT-2's layout of the weight, [in, out].
at::Tensor dp_conv1d(const at::Tensor& x, const Parameter& weight, const Parameter* bias,
                     GradTape* tape);

enum class Gelu { kExact, kTanh };

/// dp_linear(gelu(x)) and dp_conv1d(gelu(x)) with less memory.
at::Tensor dp_gelu_linear(const at::Tensor& x, Gelu gelu, const Parameter& weight,
                          const Parameter* bias, GradTape* tape);
at::Tensor dp_gelu_conv1d(const at::Tensor& x, Gelu gelu, const Parameter& weight,
                          const Parameter* bias, GradTape* tape);

/// Looks up ids int64 [B,T] -> [B,T,width].
at::Tensor dp_embedding(const at::Tensor& ids, const Parameter& weight, GradTape* tape);
/// Normalises over the last dimension of x [B,T,width] or [B,width].
at::Tensor dp_layer_norm(const at::Tensor& x, const Parameter& weight, const Parameter& bias,
                         double eps, GradTape* tape);
/// Returns w * x / rms(x) over the last dimension (Zhang and Sennrich 2019, arXiv 1910.07467).
at::Tensor dp_rms_norm(const at::Tensor& x, const Parameter& weight, double eps, GradTape* tape);

}  // namespace sotto::learning

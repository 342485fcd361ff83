#include "participant/learning/dp_sgd/dp_layers_torch.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "participant/learning/transformer/kernels_torch.h"

namespace sotto::learning {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// The tape and the parameters that a layer records for. It is opaque to autograd, which sees only
/// the weight as an input.
struct Target {
  GradTape* tape = nullptr;
  const Parameter* weight = nullptr;
  const Parameter* bias = nullptr;
};

// Stores pointers: the graph of a forward pass never outlives the tape and the model that it was
// made with.
void keep(AutogradContext* ctx, const Target& target) {
  ctx->saved_data["tape"] = reinterpret_cast<std::int64_t>(target.tape);
  ctx->saved_data["weight"] = reinterpret_cast<std::int64_t>(target.weight);
  ctx->saved_data["bias"] = reinterpret_cast<std::int64_t>(target.bias);
}

Target kept(AutogradContext* ctx) {
  return {reinterpret_cast<GradTape*>(ctx->saved_data["tape"].toInt()),
          reinterpret_cast<const Parameter*>(ctx->saved_data["weight"].toInt()),
          reinterpret_cast<const Parameter*>(ctx->saved_data["bias"].toInt())};
}

/// Sums over the positions, if there are any: [B,T,n] -> [B,n], in the type of the gradient.
Tensor per_example(const Tensor& x, at::ScalarType type) {
  return x.dim() == 3 ? x.sum(1, /*keepdim=*/false, type) : x.to(type);
}

Tensor plain_linear(const Tensor& x, const Target& target, bool transposed) {
  const auto type = x.scalar_type();
  const Tensor& stored = target.weight->value;
  const Tensor weight = (transposed ? stored.t() : stored).to(type);
  return target.bias != nullptr ? at::linear(x, weight, target.bias->value.to(type))
                                : at::linear(x, weight);
}

/// Records on the tape; `gy` is the gradient of y = x w^T + b.
void record_linear(const Target& target, const Tensor& x, const Tensor& gy, bool transposed) {
  // The gradient of [in, out] is that of [out, in] with the two factors exchanged.
  if (transposed)
    target.tape->linear(*target.weight, gy, x);
  else
    target.tape->linear(*target.weight, x, gy);
  if (target.bias != nullptr)
    target.tape->rows(*target.bias, per_example(gy, target.weight->value.scalar_type()));
}

/// Returns a new tensor.
Tensor gradient_of_input(const Tensor& gy, const Tensor& weight, bool transposed) {
  return gy.matmul((transposed ? weight.t() : weight).to(gy.scalar_type()));
}

/// Computes at::linear, for either layout of the weight.
struct LinearFunction : Function<LinearFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, Target target,
                        bool transposed) {
    ctx->save_for_backward({x, weight});
    keep(ctx, target);
    ctx->saved_data["transposed"] = transposed;
    return plain_linear(x, target, transposed);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const bool transposed = ctx->saved_data["transposed"].toBool();
    const Tensor gy = gradients[0].contiguous();
    record_linear(kept(ctx), saved[0], gy, transposed);
    Tensor gx;
    if (ctx->needs_input_grad(0)) gx = gradient_of_input(gy, saved[1], transposed);
    return {gx, Tensor(), Tensor(), Tensor()};
  }
};

/// Returns at::gelu's name of the variant.
const char* approximation(Gelu gelu) {
  return gelu == Gelu::kTanh ? "tanh" : "none";
}

/// A gelu followed by a linear layer. As two functions they would keep three tensors of the wide
/// layer for the backward pass, in addition to what the tape keeps.
struct GeluLinearFunction : Function<GeluLinearFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, Gelu gelu,
                        Target target, bool transposed) {
    const Tensor active = at::gelu(x, approximation(gelu));
    ctx->save_for_backward({x, active, weight});
    keep(ctx, target);
    ctx->saved_data["transposed"] = transposed;
    ctx->saved_data["tanh"] = gelu == Gelu::kTanh;
    return plain_linear(active, target, transposed);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const bool transposed = ctx->saved_data["transposed"].toBool();
    const Gelu gelu = ctx->saved_data["tanh"].toBool() ? Gelu::kTanh : Gelu::kExact;
    const Tensor gy = gradients[0].contiguous();
    record_linear(kept(ctx), saved[1], gy, transposed);
    Tensor gx = gradient_of_input(gy, saved[2], transposed);  // a new tensor, so it may be
                                                              // overwritten
    at::gelu_backward_out(gx, gx, saved[0], approximation(gelu));
    return {gx, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

struct EmbeddingFunction : Function<EmbeddingFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& ids, const Tensor& weight,
                        Target target) {
    ctx->save_for_backward({ids});
    keep(ctx, target);
    return at::embedding(weight, ids);
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const Target target = kept(ctx);
    target.tape->lookup(*target.weight, ctx->get_saved_variables()[0], gradients[0]);
    return {Tensor(), Tensor(), Tensor()};
  }
};

struct LayerNormFunction : Function<LayerNormFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, double eps,
                        Target target) {
    auto [y, mean, rstd] =
        at::native_layer_norm(x, {weight.size(0)}, weight, target.bias->value, eps);
    ctx->save_for_backward({x, weight, mean, rstd});
    keep(ctx, target);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const Target target = kept(ctx);
    const Tensor gy = gradients[0].contiguous();
    const auto [weight, bias] = layer_norm_rows(saved[0], saved[2], saved[3], gy);
    target.tape->rows(*target.weight, weight);
    target.tape->rows(*target.bias, bias);
    Tensor gx;
    if (ctx->needs_input_grad(0))
      gx = std::get<0>(at::native_layer_norm_backward(gy, saved[0], {saved[1].size(0)}, saved[2],
                                                      saved[3], saved[1], target.bias->value,
                                                      {true, false, false}));
    return {gx, Tensor(), Tensor(), Tensor()};
  }
};

Tensor inverse_rms(const Tensor& x, double eps) {
  return x.square().mean(-1, /*keepdim=*/true).add(eps).rsqrt();
}

struct RmsNormFunction : Function<RmsNormFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, double eps,
                        Target target) {
    const Tensor inverse = inverse_rms(x, eps);  // [B,T,1]
    ctx->save_for_backward({x, weight, inverse});
    keep(ctx, target);
    return x * inverse * weight;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2];
    const Target target = kept(ctx);
    const Tensor gy = gradients[0].contiguous();
    // This is a layer norm with mean zero and without a bias.
    target.tape->rows(*target.weight,
                      layer_norm_rows(x, at::zeros_like(inverse), inverse, gy).first);
    Tensor gx;
    if (ctx->needs_input_grad(0)) {
      const Tensor g = gy * weight, normal = x * inverse;
      gx = inverse * (g - normal * (g * normal).mean(-1, /*keepdim=*/true));
    }
    return {gx, Tensor(), Tensor(), Tensor()};
  }
};

bool recorded(const Parameter& weight, const GradTape* tape) {
  return tape != nullptr && weight.value.requires_grad();
}

Tensor linear(const Tensor& x, const Target& target, bool transposed) {
  if (recorded(*target.weight, target.tape))
    return LinearFunction::apply(x, target.weight->value, target, transposed);
  return plain_linear(x, target, transposed);
}

Tensor gelu_linear(const Tensor& x, Gelu gelu, const Target& target, bool transposed) {
  if (recorded(*target.weight, target.tape))
    return GeluLinearFunction::apply(x, target.weight->value, gelu, target, transposed);
  return plain_linear(at::gelu(x, approximation(gelu)), target, transposed);
}

}  // namespace

Tensor dp_linear(const Tensor& x, const Parameter& weight, const Parameter* bias, GradTape* tape) {
  return linear(x, {tape, &weight, bias}, /*transposed=*/false);
}

Tensor dp_conv1d(const Tensor& x, const Parameter& weight, const Parameter* bias, GradTape* tape) {
  return linear(x, {tape, &weight, bias}, /*transposed=*/true);
}

Tensor dp_gelu_linear(const Tensor& x, Gelu gelu, const Parameter& weight, const Parameter* bias,
                      GradTape* tape) {
  return gelu_linear(x, gelu, {tape, &weight, bias}, /*transposed=*/false);
}

Tensor dp_gelu_conv1d(const Tensor& x, Gelu gelu, const Parameter& weight, const Parameter* bias,
                      GradTape* tape) {
  return gelu_linear(x, gelu, {tape, &weight, bias}, /*transposed=*/true);
}

Tensor dp_embedding(const Tensor& ids, const Parameter& weight, GradTape* tape) {
  if (recorded(weight, tape))
    return EmbeddingFunction::apply(ids, weight.value, Target{tape, &weight, nullptr});
  return at::embedding(weight.value, ids);
}

Tensor dp_layer_norm(const Tensor& x, const Parameter& weight, const Parameter& bias, double eps,
                     GradTape* tape) {
  if (recorded(weight, tape))
    return LayerNormFunction::apply(x, weight.value, eps, Target{tape, &weight, &bias});
  return at::layer_norm(x, {weight.value.size(0)}, weight.value, bias.value, eps);
}

Tensor dp_rms_norm(const Tensor& x, const Parameter& weight, double eps, GradTape* tape) {
  if (recorded(weight, tape))
    return RmsNormFunction::apply(x, weight.value, eps, Target{tape, &weight, nullptr});
  return x * inverse_rms(x, eps) * weight.value;
}

}  // namespace sotto::learning

#include "participant/learning/transformer/recompute_torch.h"

#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace sotto::learning {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Body : torch::CustomClassHolder {
  explicit Body(std::function<Tensor(const Tensor&)> f) : run(std::move(f)) {}

  std::function<Tensor(const Tensor&)> run;
};

struct RecomputedFunction : torch::autograd::Function<RecomputedFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& /*anchor*/,
                        const c10::intrusive_ptr<Body>& body) {
    ctx->save_for_backward({x});
    ctx->saved_data["body"] = c10::IValue::make_capsule(body);
    return body->run(x);  // autograd is disabled here
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const Tensor x = ctx->get_saved_variables()[0].detach();
    x.requires_grad_(ctx->needs_input_grad(0));
    const auto body = c10::static_intrusive_pointer_cast<Body>(ctx->saved_data["body"].toCapsule());
    const at::AutoGradMode with_graph(true);
    const Tensor y = body->run(x);
    if (y.requires_grad()) torch::autograd::backward({y}, {gradients[0]});
    return {x.grad(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor recomputed(const Tensor& x, std::function<Tensor(const Tensor&)> body) {
  // Parameters inside may require a gradient even if x does not, so one input must require one.
  const Tensor anchor = at::empty({0}, x.options()).requires_grad_(true);
  return RecomputedFunction::apply(x, anchor, c10::make_intrusive<Body>(std::move(body)));
}

}  // namespace sotto::learning

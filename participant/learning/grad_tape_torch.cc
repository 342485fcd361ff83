#include "participant/learning/grad_tape_torch.h"

#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "common/base/check.h"
#include "participant/learning/kernels_torch.h"

namespace sotto::learning {
namespace {

using at::Tensor;

/// A sequence of one position when the layer saw [B, width].
Tensor with_positions(const Tensor& x) {
  return x.dim() == 2 ? x.unsqueeze(1) : x;
}

Tensor gram(const Tensor& x) {
  return batched_abt(x, x);
}

Tensor squares(const Tensor& x) {
  return inner_products(x, x);
}

}  // namespace

void GradTape::record(const Parameter& parameter, Use use) {
  uses_[&parameter].push_back(std::move(use));
}

void GradTape::linear(const Parameter& weight, const Tensor& input, const Tensor& gradient) {
  record(weight, {Use::Kind::kLinear, with_positions(input.detach()).contiguous(),
                  with_positions(gradient.detach()).contiguous()});
}

void GradTape::lookup(const Parameter& weight, const Tensor& ids, const Tensor& gradient) {
  record(weight, {Use::Kind::kLookup, ids, gradient.detach().contiguous()});
}

void GradTape::rows(const Parameter& parameter, const Tensor& gradients) {
  record(parameter, {Use::Kind::kRows, {}, gradients.detach()});
}

std::vector<std::string> GradTape::unused(const std::vector<Parameter>& trainable) const {
  std::vector<std::string> names;
  for (const Parameter& p : trainable)
    if (!uses_.contains(&p)) names.push_back(p.name);
  return names;
}

Tensor GradTape::squared_norms(const std::vector<Parameter>& trainable) {
  const at::NoGradGuard no_grad;
  SOTTO_CHECK(!trainable.empty() && unused(trainable).empty(), "norms of an unfinished tape");
  std::vector<Tensor> rows;
  for (const Parameter& p : trainable)
    rows.push_back(squared_norm(p, uses_.at(&p)));
  return at::stack(rows);
}

Tensor GradTape::squared_norm(const Parameter& parameter, Uses& uses) {
  Tensor sum;
  for (Use& use : uses) {
    const Tensor term = own_term(parameter, use, uses.size() == 1);
    sum = sum.defined() ? sum + term : term;
  }
  // |x + y|^2 = |x|^2 + |y|^2 + 2<x, y>: without the last an example is under-clipped in silence.
  for (std::size_t i = 0; i < uses.size(); ++i)
    for (std::size_t j = i + 1; j < uses.size(); ++j)
      sum = sum + 2 * cross_term(uses[i], uses[j]);
  return sum;
}

Tensor GradTape::own_term(const Parameter& parameter, Use& use, bool only_use) {
  if (use.kind == Use::Kind::kRows) return squares(use.b);
  if (use.kind == Use::Kind::kLookup) return lookup_squared_norms(use.a, use.b);
  const auto positions = use.a.size(1);
  if (positions == 1) return squares(use.a) * squares(use.b);  // rank one
  const auto in = use.a.size(2), out = use.b.size(2);
  // The per-example gradient is made where it takes little more room than the two factors that it
  // then replaces: it serves the norm and the sum, and saves the two Gram matrices.
  if (only_use && in * out <= 2 * positions * (in + out)) {
    use.b = batched_atb(use.b, use.a).view({use.a.size(0), parameter.value.numel()});
    use.a = Tensor();
    use.kind = Use::Kind::kRows;
    return squares(use.b);
  }
  return inner_products(gram(use.a), gram(use.b));
}

Tensor GradTape::cross_term(const Use& first, const Use& second) {
  using Kind = Use::Kind;
  if (first.kind == Kind::kRows && second.kind == Kind::kRows)
    return inner_products(first.b, second.b);
  if (first.kind == Kind::kLinear && second.kind == Kind::kLinear)
    return inner_products(batched_abt(first.a, second.a), batched_abt(first.b, second.b));
  if (first.kind == Kind::kLookup && second.kind == Kind::kLookup) {
    const Tensor same = first.a.unsqueeze(2).eq(second.a.unsqueeze(1));
    return inner_products(batched_abt(first.b, second.b), same.to(first.b.scalar_type()));
  }
  if (first.kind == Kind::kLookup) return cross_term(second, first);
  SOTTO_CHECK(first.kind == Kind::kLinear && second.kind == Kind::kLookup,
              "a parameter used both as rows and as a matrix");
  // A tied embedding and head: the row of the head's gradient that each looked-up id picks.
  const Tensor picked =
      first.b.gather(2, second.a.unsqueeze(1).expand({-1, first.b.size(1), -1}));  // [B,S,T]
  return inner_products(picked, batched_abt(first.a, second.b));
}

void GradTape::accumulate(const std::vector<Parameter>& trainable, const Tensor& factors) {
  const at::NoGradGuard no_grad;
  for (std::size_t p = 0; p < trainable.size(); ++p)
    for (const Use& use : uses_.at(&trainable[p]))
      add_scaled(use, factors[static_cast<std::int64_t>(p)].to(use.b.scalar_type()),
                 trainable[p].gradient);
  uses_.clear();
}

void GradTape::add_scaled(const Use& use, const Tensor& factors, Tensor gradient) {
  if (use.kind == Use::Kind::kRows) {
    gradient.view(-1).addmv_(use.b.t(), factors);
    return;
  }
  if (use.kind == Use::Kind::kLookup) return add_scaled_rows(gradient, use.a, use.b, factors);
  // Never scaled in place: residual branches share a gradient's storage.
  const Tensor c = factors.view({-1, 1, 1});
  const bool scale_input = use.a.size(2) <= use.b.size(2);
  const Tensor a = scale_input ? use.a * c : use.a;
  const Tensor b = scale_input ? use.b : use.b * c;
  gradient.addmm_(b.flatten(0, 1).t(), a.flatten(0, 1));
}

}  // namespace sotto::learning

#include "participant/learning/dp_sgd/grad_tape_torch.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "common/base/check.h"
#include "participant/learning/transformer/kernels_torch.h"

namespace sotto::learning {
namespace {

using at::Tensor;

/// Returns [B, width] as a sequence of one position.
Tensor with_positions(const Tensor& x) {
  return x.dim() == 2 ? x.unsqueeze(1) : x;
}

Tensor squares(const Tensor& x) {
  return inner_products(x, x);
}

/// Returns half the distance from 1 to the next number.
double rounding_unit(const Tensor& x) {
  return x.scalar_type() == at::kDouble ? std::ldexp(1, -53) : std::ldexp(1, -24);
}

/// Returns a bound on the norm's error if `additions` roundings follow each other. The factor 1.01
/// is for the reach, which is itself computed in float32.
Tensor error_of(const Tensor& reach, double additions, double unit) {
  return reach * (1.01 * std::sqrt(additions * unit));
}

/// Converts bfloat16 to float32, which is exact.
Tensor widened(const Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

}  // namespace

void GradTape::backward(const Tensor& loss) {
  loss.backward({}, /*retain_graph=*/passes_ == Passes::kTwo);
  if (passes_ == Passes::kTwo) loss_ = loss;
}

void GradTape::record(const Parameter& parameter, Use use) {
  if (passes_ == Passes::kOne || (parameter.shared && factors_.empty())) {
    uses_[&parameter].push_back(std::move(use));
    return;
  }
  if (!parameter.shared) make_rows_where_small(use);
  if (!factors_.empty()) {
    add_scaled(without_left_out(std::move(use)), factors_.at(&parameter), parameter.gradient);
    return;
  }
  // For a second use the cross term would be missing.
  SOTTO_CHECK(norms_.emplace(&parameter, own_term(use)).second,
              "a parameter that is not marked as shared is used twice");
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
    if (!uses_.contains(&p) && !norms_.contains(&p)) names.push_back(p.name);
  return names;
}

SquaredNorms GradTape::squared_norms(const std::vector<Parameter>& trainable) {
  const at::NoGradGuard no_grad;
  SOTTO_CHECK(!trainable.empty() && unused(trainable).empty(), "norms of an unfinished tape");
  std::vector<Tensor> estimates, bounds;
  for (const Parameter& p : trainable) {
    const auto known = norms_.find(&p);
    const Norm norm = known != norms_.end() ? known->second : norm_of(uses_.at(&p));
    estimates.push_back(norm.square);
    bounds.push_back(at::maximum(norm.square.clamp_min(0) + norm.error.square(),
                                 (norm.reach * kLeastShare).square()));
  }
  return {at::stack(estimates), at::stack(bounds)};
}

GradTape::Norm GradTape::norm_of(Uses& uses) {
  if (uses.size() == 1) make_rows_where_small(uses.front());
  Norm sum;
  for (const Use& use : uses) {
    const Norm term = own_term(use);
    sum = sum.square.defined()
              ? Norm{sum.square + term.square, sum.reach + term.reach, sum.error + term.error}
              : term;
  }
  // The squared norm of a sum is |x + y|^2 = |x|^2 + |y|^2 + 2<x, y>. Without the last term an
  // example would be clipped too little. The error of <x, y> is at most the product of the errors
  // of x and y.
  for (std::size_t i = 0; i < uses.size(); ++i)
    for (std::size_t j = i + 1; j < uses.size(); ++j)
      sum.square = sum.square + 2 * cross_term(uses[i], uses[j]);
  return sum;
}

/// Computes the per-example gradient of a linear layer if it takes no more memory than the larger
/// of the two factors that it replaces. It serves the norm and the sum, and saves the two Gram
/// matrices. Other uses may also hold the other factor, such as the input of query, key and value.
void GradTape::make_rows_where_small(Use& use) {
  if (use.kind != Use::Kind::kLinear) return;
  const auto positions = use.a.size(1), in = use.a.size(2), out = use.b.size(2);
  if (positions == 1 || std::min(in, out) > positions) return;
  use.b = batched_atb(widened(use.b), widened(use.a)).flatten(1);
  use.a = Tensor();
  use.kind = Use::Kind::kRows;
}

GradTape::Norm GradTape::own_term(const Use& use) {
  const double unit = rounding_unit(use.b);
  if (use.kind == Use::Kind::kRows) {
    const Tensor square = squares(use.b), norm = square.sqrt();
    return {square, norm, error_of(norm, kDotAdditions, unit)};
  }
  const auto of = [unit](const CancellingNorms& norms, double additions) {
    return Norm{norms.squares, norms.reach,
                error_of(norms.reach, additions + kDotAdditions, unit) + norms.underflow};
  };
  if (use.kind == Use::Kind::kLookup)
    return of(lookup_norms(use.a, use.b), gram_additions(use.b.size(2)));
  const Tensor a = widened(use.a), b = widened(use.b);
  return of(product_norms(a, b), gram_additions(a.size(2)) + gram_additions(b.size(2)));
}

Tensor GradTape::cross_term(const Use& first, const Use& second) {
  using Kind = Use::Kind;
  if (first.kind == Kind::kRows && second.kind == Kind::kRows)
    return inner_products(first.b, second.b);
  if (first.kind == Kind::kLinear && second.kind == Kind::kLinear)
    return inner_products(batched_abt(widened(first.a), widened(second.a)),
                          batched_abt(widened(first.b), widened(second.b)));
  if (first.kind == Kind::kLookup && second.kind == Kind::kLookup) {
    const Tensor same = first.a.unsqueeze(2).eq(second.a.unsqueeze(1));
    return inner_products(batched_abt(first.b, second.b), same.to(first.b.scalar_type()));
  }
  if (first.kind == Kind::kLookup) return cross_term(second, first);
  SOTTO_CHECK(first.kind == Kind::kLinear && second.kind == Kind::kLookup,
              "a parameter used both as rows and as a matrix");
  // A tied embedding and head: the part of the head's gradient that each looked-up id selects.
  const Tensor picked =
      first.b.gather(2, second.a.unsqueeze(1).expand({-1, first.b.size(1), -1}));  // [B,S,T]
  return inner_products(widened(picked), batched_abt(widened(first.a), second.b));
}

void GradTape::accumulate(const std::vector<Parameter>& trainable, const Tensor& factors) {
  left_out_ = factors.eq(0).any(0);
  if (!left_out_.any().item<bool>()) left_out_ = Tensor();
  for (std::size_t p = 0; p < trainable.size(); ++p) {
    const Tensor own = factors[static_cast<std::int64_t>(p)].to(trainable[p].value.scalar_type());
    if (passes_ == Passes::kTwo) {
      factors_.emplace(&trainable[p], own);
      continue;
    }
    const at::NoGradGuard no_grad;
    for (Use& use : uses_.at(&trainable[p]))
      add_scaled(without_left_out(std::move(use)), own, trainable[p].gradient);
    uses_.erase(&trainable[p]);
  }
  uses_.clear();
  if (passes_ == Passes::kTwo) loss_.backward();
  norms_.clear();
  factors_.clear();
  left_out_ = Tensor();
  loss_ = Tensor();
}

/// Replaces what was recorded of the left-out examples by zeros, because zero times infinity is not
/// zero. It copies, because residual branches share a gradient's storage.
GradTape::Use GradTape::without_left_out(Use use) const {
  if (!left_out_.defined()) return use;
  const auto cleared = [this](const Tensor& x) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
    shape.front() = x.size(0);
    return x.masked_fill(left_out_.view(shape), 0);
  };
  if (use.kind == Use::Kind::kLinear) use.a = cleared(use.a);
  use.b = cleared(use.b);
  return use;
}

void GradTape::add_scaled(const Use& use, const Tensor& factors, Tensor gradient) {
  if (use.kind == Use::Kind::kRows) {
    gradient.view(-1).addmv_(use.b.t(), factors);
    return;
  }
  if (use.kind == Use::Kind::kLookup) return add_scaled_rows(gradient, use.a, use.b, factors);
  // The factors are never scaled in place, because residual branches share a gradient's storage.
  const Tensor c = factors.view({-1, 1, 1}), a = widened(use.a), b = widened(use.b);
  const bool scale_input = a.size(2) <= b.size(2);
  const Tensor scaled_a = scale_input ? a * c : a;
  const Tensor scaled_b = scale_input ? b : b * c;
  gradient.addmm_(scaled_b.flatten(0, 1).t(), scaled_a.flatten(0, 1));
}

}  // namespace sotto::learning

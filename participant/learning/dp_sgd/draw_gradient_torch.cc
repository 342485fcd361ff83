#include "participant/learning/dp_sgd/draw_gradient_torch.h"

#include <exception>
#include <limits>
#include <stdexcept>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "participant/learning/dp_sgd/batches.h"

namespace sotto::learning {
namespace {

using at::Tensor;
using Indices = std::span<const std::uint64_t>;

Batch batch_of(const DrawPlan& plan, Indices indices) {
  Result<Batch> batch = plan.read(indices);
  if (!batch) throw std::runtime_error(batch.error().message);
  return std::move(batch).value();
}

/// Returns the weights of the examples for Clipping::factors(), on the device of `like`.
Tensor weights_of(const DrawPlan& plan, Indices indices, const Tensor& like) {
  if (plan.weights.empty()) return {};
  std::vector<double> out;
  for (const std::uint64_t i : indices)
    out.push_back(plan.weights[i]);
  return at::tensor(out, at::kDouble).to(like.device());
}

DrawOutcome empty_outcome(const DrawPlan& plan) {
  DrawOutcome out;
  out.had_gradient.resize(plan.model.parameters().size(), false);
  return out;
}

void add_failure(DrawOutcome& outcome, std::uint64_t examples, const char* reason) {
  outcome.failed += examples;
  if (outcome.reason.empty()) outcome.reason = reason;
}

void add(DrawOutcome& to, const DrawOutcome& more) {
  to.loss += more.loss;
  to.computed += more.computed;
  to.not_finite += more.not_finite;
  if (to.parameter.empty()) to.parameter = more.parameter;
  for (std::size_t p = 0; p < to.had_gradient.size(); ++p)
    to.had_gradient[p] = to.had_gradient[p] || more.had_gradient[p];
}

/// Returns the parameter nearest to the loss whose row of `finite` [P,B] is not all true, which was
/// the first in the backward pass; empty if all are finite.
std::string first_not_finite(const std::vector<Parameter>& parameters, const Tensor& finite) {
  for (std::size_t p = parameters.size(); p-- > 0;)
    if (!finite[static_cast<std::int64_t>(p)].all().item<bool>()) return parameters[p].name;
  return {};
}

class ClippedSum {
 public:
  ClippedSum(const DrawPlan& plan, Clipping& clipping)
      : plan_(plan), clipping_(clipping), outcome_(empty_outcome(plan)) {}

  DrawOutcome of(Indices draw) {
    const Clipping at_start = clipping_;
    for (const auto& chunk : physical_batches(draw, plan_.lengths, plan_.batch_size)) {
      const Attempt attempt = try_to_add(chunk);
      if (attempt == Attempt::kUntouched) add_one_by_one(chunk);
      if (attempt != Attempt::kTouched) continue;
      // The sum now holds some examples of the batch in some of the parameters.
      plan_.model.gradient().zero_();
      clipping_ = at_start;
      outcome_ = empty_outcome(plan_);
      add_one_by_one(draw);
      break;
    }
    return std::move(outcome_);
  }

 private:
  enum class Attempt {
    kDone,
    kUntouched,  // failed; the sum is unchanged
    kTouched     // failed; the sum holds a part of the batch
  };

  Attempt try_to_add(Indices chunk) {
    const Clipping before = clipping_;
    bool is_writing = false;
    try {
      const DrawOutcome seen = add_batch(chunk, is_writing);
      add(outcome_, seen);
      return Attempt::kDone;
    } catch (const std::exception& e) {
      failure_ = e.what();
    }
    clipping_ = before;
    return is_writing ? Attempt::kTouched : Attempt::kUntouched;
  }

  DrawOutcome add_batch(Indices chunk, bool& is_writing) {
    const std::vector<Parameter>& parameters = plan_.model.parameters();
    const Batch batch = batch_of(plan_, chunk);
    Pass pass = plan_.new_pass();
    // With recomputed layers the tape of a single pass would take most of the memory.
    GradTape tape(pass.recompute ? GradTape::Passes::kTwo : GradTape::Passes::kOne);
    pass.tape = &tape;
    const Tensor graph = plan_.model.losses(plan_.task, batch, pass), losses = graph.detach();
    tape.backward(graph.sum());
    const SquaredNorms norms = tape.squared_norms(parameters);
    const Tensor finite_losses = losses.isfinite();
    const Tensor finite_bounds = norms.bound.isfinite();
    const Tensor usable = finite_losses.logical_and(finite_bounds.all(0));
    const Tensor factors =
        clipping_.factors(norms.bound.masked_fill(usable.logical_not().unsqueeze(0),
                                                  std::numeric_limits<double>::infinity()),
                          weights_of(plan_, chunk, norms.bound));
    DrawOutcome seen = empty_outcome(plan_);
    seen.loss = losses.masked_fill(usable.logical_not(), 0).sum(at::kDouble).item<double>();
    seen.computed = static_cast<std::uint64_t>(usable.sum().item<std::int64_t>());
    seen.not_finite = chunk.size() - seen.computed;
    if (seen.not_finite > 0)
      seen.parameter = first_not_finite(
          parameters, finite_bounds.logical_or(finite_losses.logical_not().unsqueeze(0)));
    const Tensor any = norms.estimate.gt(0).logical_and(usable.unsqueeze(0)).any(1).cpu();
    for (std::size_t p = 0; p < parameters.size(); ++p)
      seen.had_gradient[p] = any[static_cast<std::int64_t>(p)].item<bool>();
    is_writing = true;
    tape.accumulate(parameters, factors);
    return seen;
  }

  /// Adds each example separately, with a copy of the sum to restore after a failure.
  void add_one_by_one(Indices examples) {
    Tensor sum = plan_.model.gradient(), before;
    try {
      before = sum.clone();
    } catch (const std::exception& e) {
      add_failure(outcome_, examples.size(), e.what());
      return;
    }
    for (const std::uint64_t& example : examples) {
      const Attempt attempt = try_to_add({&example, 1});
      if (attempt == Attempt::kTouched) sum.copy_(before);
      if (attempt == Attempt::kDone)
        before.copy_(sum);
      else
        add_failure(outcome_, 1, failure_.c_str());
    }
  }

  const DrawPlan& plan_;
  Clipping& clipping_;
  DrawOutcome outcome_;
  std::string failure_;
};

class PlainMean {
 public:
  PlainMean(const DrawPlan& plan, Indices draw)
      : plan_(plan), draw_(draw), size_(static_cast<double>(draw.size())) {}

  DrawOutcome add() {
    DrawOutcome out = empty_outcome(plan_);
    if (!add_whole(out)) out = add_one_by_one();
    const std::vector<Parameter>& parameters = plan_.model.parameters();
    for (std::size_t p = 0; p < parameters.size(); ++p)
      out.had_gradient[p] = parameters[p].gradient.ne(0).any().item<bool>();
    return out;
  }

 private:
  [[nodiscard]] bool is_finite() const {
    return plan_.model.gradient().isfinite().all().item<bool>();
  }

  /// Returns false if anything fails or is not finite; the gradient is then undefined.
  bool add_whole(DrawOutcome& out) {
    try {
      for (const auto& chunk : physical_batches(draw_, plan_.lengths, plan_.batch_size)) {
        const Tensor losses =
            plan_.model.losses(plan_.task, batch_of(plan_, chunk), plan_.new_pass());
        if (!losses.isfinite().all().item<bool>()) return false;
        const Tensor sum = losses.sum();
        (sum / size_).backward();
        out.loss += sum.item<double>();
        out.computed += chunk.size();
      }
    } catch (const std::exception&) {
      return false;
    }
    return is_finite();
  }

  DrawOutcome add_one_by_one() {
    DrawOutcome out = empty_outcome(plan_);
    Tensor gradient = plan_.model.gradient();
    const Tensor sum = at::zeros_like(gradient);
    for (const std::uint64_t& example : draw_) {
      gradient.zero_();
      try {
        const Tensor loss =
            plan_.model.losses(plan_.task, batch_of(plan_, {&example, 1}), plan_.new_pass()).sum();
        (loss / size_).backward();
        const at::NoGradGuard no_grad;
        if (!loss.isfinite().item<bool>() || !is_finite()) {
          if (out.parameter.empty() && loss.isfinite().item<bool>()) out.parameter = not_finite();
          ++out.not_finite;
          continue;
        }
        sum.add_(gradient);
        out.loss += loss.item<double>();
        ++out.computed;
      } catch (const std::exception& e) {
        add_failure(out, 1, e.what());
      }
    }
    gradient.copy_(sum);
    return out;
  }

  [[nodiscard]] std::string not_finite() const {
    const std::vector<Parameter>& parameters = plan_.model.parameters();
    for (std::size_t p = parameters.size(); p-- > 0;)
      if (!parameters[p].gradient.isfinite().all().item<bool>()) return parameters[p].name;
    return {};
  }

  const DrawPlan& plan_;
  Indices draw_;
  double size_;
};

}  // namespace

DrawOutcome add_clipped(const DrawPlan& plan, Indices draw, Clipping& clipping) {
  return ClippedSum(plan, clipping).of(draw);
}

DrawOutcome add_plain(const DrawPlan& plan, Indices draw) {
  return PlainMean(plan, draw).add();
}

}  // namespace sotto::learning

#include "participant/learning/transformer/cross_entropy_torch.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "participant/learning/transformer/batch_torch.h"

namespace sotto::learning {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Runs work(first, last) over rows of about a megabyte, so that intermediate results stay in the
/// cache.
template <class Work>
void for_each_chunk(const Tensor& logits, Work work) {
  constexpr std::int64_t kValues = std::int64_t{1} << 18U;
  const auto rows = logits.size(0),
             step = std::max<std::int64_t>(kValues / std::max<std::int64_t>(logits.size(1), 1), 1);
  for (std::int64_t first = 0; first < rows; first += step)
    work(first, std::min(first + step, rows));
}

/// Returns log sum exp of each row [N].
Tensor normalizers(const Tensor& logits) {
  const Tensor out = at::empty({logits.size(0)}, logits.options());
  for_each_chunk(logits, [&](std::int64_t first, std::int64_t last) {
    Tensor rows = out.slice(0, first, last);
    at::logsumexp_out(rows, logits.slice(0, first, last), 1);
  });
  return out;
}

/// Returns the targets as [N,1], with an arbitrary class where there is none.
Tensor columns(const Tensor& targets) {
  return targets.clamp_min(0).unsqueeze(1);
}

struct CrossEntropyFunction : torch::autograd::Function<CrossEntropyFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& logits, const Tensor& targets,
                        Logits after) {
    const Tensor normalizer = normalizers(logits);
    ctx->save_for_backward({logits, targets, normalizer});
    ctx->saved_data["consumed"] = after == Logits::kConsumed;
    return (normalizer - logits.gather(1, columns(targets)).squeeze(1))
        .masked_fill(targets.eq(kNoTag), 0);
  }

  /// Returns (softmax - one at the target) * the loss's gradient.
  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor logits = saved[0].detach(), normalizer = saved[2].unsqueeze(1);
    const Tensor target = columns(saved[1]);
    const Tensor scale = gradients[0].masked_fill(saved[1].eq(kNoTag), 0).unsqueeze(1);
    const Tensor out = ctx->saved_data["consumed"].toBool() ? logits : at::empty_like(logits);
    for_each_chunk(logits, [&](std::int64_t first, std::int64_t last) {
      const auto of = [first, last](const Tensor& x) { return x.slice(0, first, last); };
      Tensor rows = of(out);
      at::sub_out(rows, of(logits), of(normalizer)).exp_();
      rows.scatter_add_(1, of(target), at::full({last - first, 1}, -1, rows.options()));
      rows.mul_(of(scale));
    });
    return {out, Tensor(), Tensor()};
  }
};

}  // namespace

Tensor cross_entropies(const Tensor& logits, const Tensor& targets, Logits after) {
  return CrossEntropyFunction::apply(logits, targets, after);
}

Tensor token_cross_entropies(const Tensor& logits, const Tensor& targets, Logits after) {
  const auto rows = logits.size(0), positions = logits.size(1);
  return cross_entropies(logits.reshape({rows * positions, -1}), targets.reshape({-1}), after)
      .view({rows, positions});
}

Tensor next_token_losses(const Tensor& logits, const Batch& batch, Logits after) {
  const auto positions = logits.size(1);
  const Tensor targets = at::full({logits.size(0), positions}, kNoTag, batch.ids.options());
  const Tensor next = batch.mask.slice(1, 1).to(at::kBool);
  targets.slice(1, 0, positions - 1).copy_(at::where(next, batch.ids.slice(1, 1), kNoTag));
  return token_cross_entropies(logits, targets, after);
}

}  // namespace sotto::learning

#include <ATen/ATen.h>

#include "common/tasks/causal_language_modeling.h"
#include "participant/learning/tasks/task_learning_torch.h"

namespace sotto::learning {

namespace {

using at::Tensor;

/// The number of predicted tokens: all but the first.
std::uint64_t predicted_tokens(const Sequence& text) {
  return text.ids.empty() ? 0 : text.ids.size() - 1;
}

class CausalLanguageModelingLearning final : public TaskLearningOf<tasks::CausalLanguageModeling> {
 public:
  using TaskLearningOf::TaskLearningOf;

  [[nodiscard]] ModelHead head() const override {
    return {.kind = ModelHead::Kind::kLanguageModel};
  }

  /// The mean over the text's own tokens except the first; 0 if there are no others.
  [[nodiscard]] Tensor losses(const Tensor& logits, const Batch& batch,
                              Logits after) const override {
    return next_token_losses(logits, batch, after).sum(1) / (batch.mask.sum(1) - 1).clamp_min(1);
  }

  void count(const Tensor& logits, const Batch& batch, const std::vector<const Sequence*>& rows,
             tasks::CounterSums& sums) const override {
    const Tensor loss =
        next_token_losses(logits, batch, Logits::kKept).to(at::kDouble).sum(1).cpu();
    const Tensor right = logits.argmax(2).slice(1, 0, -1).eq(batch.ids.slice(1, 1)) *
                         batch.mask.slice(1, 1).to(at::kBool);
    const Tensor correct = right.sum(1).cpu();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      tasks::CausalLanguageModeling::count(
          sums, {.tokens = predicted_tokens(*rows[i]),
                 .correct = static_cast<std::uint64_t>(correct[row].item<std::int64_t>()),
                 .loss = loss[row].item<double>()});
    }
  }

  void count_failed(const Sequence& row, tasks::CounterSums& sums) const override {
    tasks::CausalLanguageModeling::count(
        sums, {.tokens = predicted_tokens(row), .loss = tasks::kNoAnswer});
  }

  /// A smaller batch than the default, because logits over a vocabulary are large.
  [[nodiscard]] std::size_t evaluation_batch(std::size_t physical) const override {
    return physical;
  }
};

}  // namespace

std::unique_ptr<const TaskLearning> learn_causal_language_modeling(
    const tasks::TaskSettings& settings, std::uint32_t max_length) {
  return std::make_unique<CausalLanguageModelingLearning>(settings, max_length);
}

}  // namespace sotto::learning

#include <ATen/ATen.h>

#include "common/tasks/sequence_classification.h"
#include "participant/learning/tasks/task_learning_torch.h"

namespace sotto::learning {

namespace {

using at::Tensor;

class SequenceClassificationLearning final : public TaskLearningOf<tasks::SequenceClassification> {
 public:
  using TaskLearningOf::TaskLearningOf;

  [[nodiscard]] ModelHead head() const override {
    return {.kind = ModelHead::Kind::kClassification,
            .labels = static_cast<std::int64_t>(task().classes().size())};
  }

  [[nodiscard]] Tensor losses(const Tensor& logits, const Batch& batch,
                              Logits after) const override {
    return cross_entropies(logits, batch.labels, after);
  }

  void count(const Tensor& logits, const Batch& batch, const std::vector<const Sequence*>& rows,
             tasks::CounterSums& sums) const override {
    const Tensor loss = losses(logits, batch, Logits::kKept).cpu();
    const Tensor predicted = logits.argmax(1).cpu();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      tasks::SequenceClassification::count(
          sums, rows[i]->label, predicted[row].item<std::int64_t>(), loss[row].item<double>());
    }
  }

  void count_failed(const Sequence& row, tasks::CounterSums& sums) const override {
    tasks::SequenceClassification::count(sums, row.label, row.label, tasks::kNoAnswer);
  }
};

}  // namespace

std::unique_ptr<const TaskLearning> learn_sequence_classification(
    const tasks::TaskSettings& settings, std::uint32_t max_length) {
  return std::make_unique<SequenceClassificationLearning>(settings, max_length);
}

}  // namespace sotto::learning

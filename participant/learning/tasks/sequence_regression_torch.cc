#include <ATen/ATen.h>

#include "common/tasks/sequence_regression.h"
#include "participant/learning/tasks/task_learning_torch.h"

namespace sotto::learning {

namespace {

using at::Tensor;

class SequenceRegressionLearning final : public TaskLearningOf<tasks::SequenceRegression> {
 public:
  using TaskLearningOf::TaskLearningOf;

  /// One output, as in Hugging Face with num_labels 1.
  [[nodiscard]] ModelHead head() const override {
    return {.kind = ModelHead::Kind::kClassification, .labels = 1};
  }

  /// The squared error, in the unit of the targets.
  [[nodiscard]] Tensor losses(const Tensor& logits, const Batch& batch,
                              Logits /*after*/) const override {
    const double first = task().target(0), last = task().target(tasks::SequenceRegression::kSteps);
    const Tensor part = batch.labels.to(at::kDouble) / tasks::SequenceRegression::kSteps;
    return (logits.squeeze(1) - (first + (last - first) * part).to(logits.scalar_type())).square();
  }

  void count(const Tensor& logits, const Batch& /*batch*/, const std::vector<const Sequence*>& rows,
             tasks::CounterSums& sums) const override {
    const Tensor predictions = logits.squeeze(1).to(at::kDouble).cpu();
    for (std::size_t i = 0; i < rows.size(); ++i)
      task().count(sums, rows[i]->label, predictions[static_cast<std::int64_t>(i)].item<double>());
  }

  void count_failed(const Sequence& row, tasks::CounterSums& sums) const override {
    task().count(sums, row.label, tasks::kNoAnswer);
  }
};

}  // namespace

std::unique_ptr<const TaskLearning> learn_sequence_regression(const tasks::TaskSettings& settings,
                                                              std::uint32_t max_length) {
  return std::make_unique<SequenceRegressionLearning>(settings, max_length);
}

}  // namespace sotto::learning

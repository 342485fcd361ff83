// TaskLearning is the part of a task that needs torch: head, and loss and counters from logits. The
// other part is common/tasks/task.h. A new task is one file in this folder and one line in
// task_learning_torch.cc; docs/extending.md describes it.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "common/config/job.h"
#include "common/tasks/task.h"
#include "participant/learning/transformer/batch_torch.h"
#include "participant/learning/transformer/cross_entropy_torch.h"
#include "participant/learning/transformer/model_modules.h"

namespace sotto::learning {

/// Immutable. Use from any thread.
class TaskLearning {
 public:
  virtual ~TaskLearning() = default;

  [[nodiscard]] virtual const tasks::Task& task() const = 0;

  [[nodiscard]] virtual ModelHead head() const = 0;

  /// The loss of each example [B], float, from the head's logits [B,outputs] of texts or
  /// [B,T,outputs] of tokens. It depends on the example alone and not on the others of its batch,
  /// because gradients are clipped example by example. `after` states whether the backward pass may
  /// reuse the storage of the logits.
  [[nodiscard]] virtual at::Tensor losses(const at::Tensor& logits, const Batch& batch,
                                          Logits after) const = 0;

  /// Adds the examples of a batch to the sums of task().counters(). `rows` are the sequences of the
  /// batch. What one example adds stays within the bounds of the counters, whatever the logits are.
  virtual void count(const at::Tensor& logits, const Batch& batch,
                     const std::vector<const Sequence*>& rows, tasks::CounterSums& sums) const = 0;

  /// Counts an example that could not be computed as wrong, with the largest loss.
  virtual void count_failed(const Sequence& row, tasks::CounterSums& sums) const = 0;

  /// A fixed example that belongs to no site, for checking the model's structure.
  [[nodiscard]] virtual Sequence probe() const { return {{0, 0}, 0, {}}; }

  /// The number of examples that an evaluation computes at once; `physical` is the job's
  /// physical_batch_size.
  [[nodiscard]] virtual std::size_t evaluation_batch(std::size_t /*physical*/) const { return 128; }
};

/// Returns the task of a job that was parsed before.
std::unique_ptr<const TaskLearning> make_task_learning(const config::JobConfig& job);

/// Base class of a TaskLearning that holds the torch-free part of its task.
template <class TorchFree>
class TaskLearningOf : public TaskLearning {
 public:
  TaskLearningOf(const tasks::TaskSettings& settings, std::uint32_t max_length)
      : task_(settings, max_length) {}

  [[nodiscard]] const TorchFree& task() const override { return task_; }

 private:
  TorchFree task_;
};

}  // namespace sotto::learning

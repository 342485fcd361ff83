// Computes the counters of a model's task over a site's evaluation split. No example stops an
// evaluation: one whose loss is not finite, or that cannot be computed, counts as wrong with the
// largest loss. Use from one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "participant/learning/tasks/task_learning_torch.h"
#include "participant/learning/tokenized_examples.h"
#include "participant/learning/transformer/transformer_torch.h"

namespace sotto::learning {

/// The referenced objects outlive the evaluation.
struct EvaluationPlan {
  const Transformer& model;
  const TaskLearning& task;
  const TokenizedExamples& examples;
  std::size_t physical_batch_size = 1;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();  // most examples that are counted
  std::int32_t pad = 0;
  at::Device device = at::kCPU;
};

/// Counts the first `most` examples. A batch that fails is computed again example by example. An
/// example that cannot be opened is left out, because its label is not known.
tasks::CounterSums evaluate_examples(const EvaluationPlan& plan);

}  // namespace sotto::learning

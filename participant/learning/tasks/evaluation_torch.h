// How well a model does on a site's evaluation split, as counts. No example stops an evaluation:
// one whose loss is not finite, or that cannot be computed, counts as wrong with the largest loss.
// One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "common/config/job.h"
#include "participant/learning/tasks/metrics.h"
#include "participant/learning/tokenized_examples.h"
#include "participant/learning/transformer/transformer_torch.h"

namespace sotto::learning {

/// Everything is borrowed.
struct EvaluationPlan {
  const Transformer& model;
  const TokenizedExamples& examples;
  const config::JobConfig& job;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();  // of the examples are counted
  std::int32_t pad = 0;
  at::Device device = at::kCPU;
};

/// Of the first `most` examples. A batch that fails is computed again example by example. An
/// example that cannot be opened is left out, because its label is not known.
MetricCounts evaluate_examples(const EvaluationPlan& plan);

}  // namespace sotto::learning

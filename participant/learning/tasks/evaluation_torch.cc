#include "participant/learning/tasks/evaluation_torch.h"

#include <algorithm>
#include <exception>
#include <numeric>
#include <span>
#include <vector>

#include <ATen/core/grad_mode.h>

#include "participant/learning/dp_sgd/batches.h"

namespace sotto::learning {
namespace {

class Evaluation {
 public:
  explicit Evaluation(const EvaluationPlan& plan)
      : plan_(plan),
        loader_(plan.examples.loader(data::Purpose::kEvaluate)),
        sums_(plan.task.task().zero_sums()) {}

  tasks::CounterSums run() {
    std::vector<std::uint64_t> all(std::min<std::uint64_t>(plan_.examples.size(), plan_.most));
    std::iota(all.begin(), all.end(), 0U);
    const std::size_t at_once = plan_.task.evaluation_batch(plan_.physical_batch_size);
    for (const auto& chunk : physical_batches(all, plan_.examples.lengths(), at_once))
      if (!try_to_count(chunk))
        for (const std::uint64_t& example : chunk)
          if (!try_to_count({&example, 1})) count_failed(example);
    return std::move(sums_);
  }

 private:
  /// Counts all of the examples, or none if that fails.
  bool try_to_count(std::span<const std::uint64_t> chunk) {
    try {
      tasks::CounterSums sums = sums_;
      const auto rows = loader_.read(chunk);
      if (!rows) return false;
      const Batch batch = make_batch(*rows, plan_.pad, plan_.device);
      plan_.task.count(plan_.model.logits(batch, {}), batch, *rows, sums);
      sums_ = std::move(sums);
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  void count_failed(std::uint64_t example) {
    if (const auto rows = loader_.read({&example, 1}))
      plan_.task.count_failed(*rows->front(), sums_);
  }

  const EvaluationPlan& plan_;
  TokenizedExamples::Loader loader_;
  tasks::CounterSums sums_;
};

}  // namespace

tasks::CounterSums evaluate_examples(const EvaluationPlan& plan) {
  const at::NoGradGuard no_grad;
  return Evaluation(plan).run();
}

}  // namespace sotto::learning

#include "participant/learning/metrics.h"

#include <algorithm>
#include <cmath>

#include "participant/learning/local_trainer.h"

namespace sotto::learning {

std::vector<std::string> metric_names(const config::JobConfig& job) {
  std::vector<std::string> names{"examples", "correct", "loss_milli"};
  for (const std::string& label : job.task.labels)
    for (const char* kind : {"tp:", "fp:", "fn:"})
      names.push_back(kind + label);
  return names;
}

void MetricCounts::add(std::int64_t label, std::int64_t predicted, double loss) {
  const auto slot = [](std::int64_t l, std::size_t kind) {
    return kPerLabel + 3 * static_cast<std::size_t>(l) + kind;
  };
  ++counts_[kExamples];
  loss_ += std::clamp(loss, 0.0, 1e6);  // a diverged model must not overflow the sum
  if (label == predicted) {
    ++counts_[kCorrect];
    ++counts_[slot(label, 0)];
  } else {
    ++counts_[slot(predicted, 1)];
    ++counts_[slot(label, 2)];
  }
}

std::vector<std::uint64_t> MetricCounts::counts() const {
  std::vector<std::uint64_t> out = counts_;
  out[kLoss] = static_cast<std::uint64_t>(std::llround(loss_ * 1000));
  return out;
}

}  // namespace sotto::learning

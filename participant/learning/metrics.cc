#include "participant/learning/metrics.h"

#include <algorithm>
#include <cmath>

#include "participant/learning/entities.h"
#include "participant/learning/local_trainer.h"

namespace sotto::learning {

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

void MetricCounts::add_text(const Text& text) {
  counts_[kExamples] += text.tokens;
  counts_[kCorrect] += text.correct;
  loss_ += std::clamp(text.loss, 0.0, 1e6 * static_cast<double>(text.tokens));
}

void MetricCounts::add_sentence(std::span<const std::int64_t> said,
                                std::span<const std::int64_t> right, double loss) {
  std::vector<EntityCounts> entities((counts_.size() - kPerLabel) / 3);
  count_entities(said, right, entities);
  auto slot = counts_.begin() + kPerLabel;
  for (const EntityCounts& e : entities)
    for (const std::uint64_t count : {e.found, e.wrong, e.missed})
      *slot++ += count;
  counts_[kExamples] += right.size();
  for (std::size_t i = 0; i < right.size(); ++i)
    counts_[kCorrect] += said[i] == right[i] ? 1U : 0U;
  loss_ += std::clamp(loss, 0.0, 1e6 * static_cast<double>(right.size()));
}

std::vector<std::uint64_t> MetricCounts::counts() const {
  std::vector<std::uint64_t> out = counts_;
  out[kLoss] = static_cast<std::uint64_t>(std::llround(loss_ * 1000));
  return out;
}

}  // namespace sotto::learning

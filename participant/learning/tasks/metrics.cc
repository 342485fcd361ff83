#include "participant/learning/tasks/metrics.h"

#include <algorithm>
#include <cmath>

#include "participant/learning/tasks/entities.h"

namespace sotto::learning {

namespace {

double bounded(double loss, std::uint64_t terms) {
  const double most = kLargestLoss * static_cast<double>(terms);
  return std::isfinite(loss) ? std::clamp(loss, 0.0, most) : most;
}

}  // namespace

void MetricCounts::add(std::int64_t label, std::int64_t predicted, double loss) {
  const auto slot = [](std::int64_t l, std::size_t kind) {
    return kPerLabel + 3 * static_cast<std::size_t>(l) + kind;
  };
  ++counts_[kExamples];
  loss_ += bounded(loss, 1);
  const auto labels = static_cast<std::int64_t>((counts_.size() - kPerLabel) / 3);
  if (!std::isfinite(loss) && label == predicted) predicted = (label + 1) % labels;
  if (std::isfinite(loss) && label == predicted) {
    ++counts_[kCorrect];
    ++counts_[slot(label, 0)];
  } else {
    ++counts_[slot(predicted, 1)];
    ++counts_[slot(label, 2)];
  }
}

void MetricCounts::add_text(const Text& text) {
  counts_[kExamples] += text.tokens;
  if (std::isfinite(text.loss)) counts_[kCorrect] += text.correct;
  loss_ += bounded(text.loss, text.tokens);
}

void MetricCounts::add_sentence(std::span<const std::int64_t> said,
                                std::span<const std::int64_t> right, double loss) {
  const std::size_t words = std::min(right.size(), most_words_);
  said = said.first(words);
  right = right.first(words);
  const bool answered = std::isfinite(loss);
  const std::vector<std::int64_t> none(right.size(), 0);
  std::vector<EntityCounts> entities((counts_.size() - kPerLabel) / 3);
  count_entities(answered ? said : none, right, entities);
  auto slot = counts_.begin() + kPerLabel;
  for (const EntityCounts& e : entities)
    for (const std::uint64_t count : {e.found, e.wrong, e.missed})
      *slot++ += count;
  counts_[kExamples] += right.size();
  for (std::size_t i = 0; answered && i < right.size(); ++i)
    counts_[kCorrect] += said[i] == right[i] ? 1U : 0U;
  loss_ += bounded(loss, right.size());
}

std::vector<std::uint64_t> MetricCounts::counts() const {
  std::vector<std::uint64_t> out = counts_;
  out[kLoss] = static_cast<std::uint64_t>(std::llround(loss_ * 1000));
  return out;
}

}  // namespace sotto::learning

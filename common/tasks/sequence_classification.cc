#include "common/tasks/sequence_classification.h"

#include <algorithm>
#include <cmath>

#include "common/tasks/labelled_counters.h"
#include "common/tasks/words.h"

namespace sotto::tasks {

void SequenceClassification::count(CounterSums& sums, std::int64_t label, std::int64_t predicted,
                                   double loss) {
  const auto slot = [&sums](std::int64_t l, std::size_t kind) -> double& {
    return sums[kPerLabel + 3 * static_cast<std::size_t>(l) + kind];
  };
  const auto labels = static_cast<std::int64_t>((sums.size() - kPerLabel) / 3);
  sums[kUnits] += 1;
  sums[kLoss] += bounded_loss(loss, 1);
  if (!std::isfinite(loss) && label == predicted) predicted = (label + 1) % labels;
  if (label == predicted) {
    sums[kCorrect] += 1;
    slot(label, kTruePositive) += 1;
  } else {
    slot(predicted, kFalsePositive) += 1;
    slot(label, kFalseNegative) += 1;
  }
}

std::string SequenceClassification::purpose() const {
  return "The model learns to classify texts into " + std::to_string(settings().labels.size()) +
         " classes: " + list_of(settings().labels, 10) + ".";
}

std::vector<SettingMistake> SequenceClassification::mistakes() const {
  if (settings().labels.size() >= 2) return {};
  return {{"task.labels", "found " + std::to_string(settings().labels.size()) +
                              "; needed: the names of at least 2 classes"}};
}

std::vector<Counter> SequenceClassification::counters() const {
  return labelled_counters("examples", settings().labels);
}

/// Units and loss contribute one each. A true positive and the correct unit contribute two
/// together, as do a false positive and a false negative.
double SequenceClassification::largest_squared_change() const {
  return 4;
}

Status SequenceClassification::check_relations(std::span<const std::uint64_t> counts) const {
  const LabelTotals labels = label_totals(counts);
  if (labels.found == counts[kCorrect] && labels.predicted == counts[kUnits] &&
      labels.present == counts[kUnits])
    return {};
  return Error{"the counts of the labels do not add up to those of the examples"};
}

std::vector<FigureKind> SequenceClassification::figures() const {
  return {kAccuracy, kMacroF1, kMeanLoss};
}

void SequenceClassification::fill(Evaluation& evaluation, std::span<const std::uint64_t> sums,
                                  Rounding rounding) const {
  fill_common_figures(evaluation, sums, rounding);
  double f1 = 0;
  for (std::size_t i = kPerLabel; i < sums.size(); i += 3) {
    const auto tp = static_cast<double>(sums[i + kTruePositive]);
    const auto fp = static_cast<double>(sums[i + kFalsePositive]);
    const auto fn = static_cast<double>(sums[i + kFalseNegative]);
    if (tp > 0) f1 += 2 * tp / (2 * tp + fp + fn);
  }
  evaluation.figures.push_back(
      {kMacroF1, rounding(f1 / static_cast<double>(settings().labels.size()))});
}

std::optional<ConstantAnswer> SequenceClassification::constant_answer() const {
  return ConstantAnswer{"_majority", "majority class"};
}

double SequenceClassification::figure_of_constant(std::span<const std::int64_t> train,
                                                  std::span<const std::int64_t> evaluation) const {
  std::vector<std::size_t> counts(settings().labels.size(), 0);
  for (const std::int64_t label : train)
    ++counts[static_cast<std::size_t>(label)];
  return accuracy_of_constant(std::ranges::max_element(counts) - counts.begin(), evaluation);
}

}  // namespace sotto::tasks

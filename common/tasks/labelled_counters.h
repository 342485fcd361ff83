// The counters that classification of texts, classification of tokens and language modelling share:
// units, correct units, the sum of the losses, then three for each label.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/tasks/task.h"

namespace sotto::tasks {

/// The most, in nats, that one unit adds to the sum of losses. A larger loss counts as this.
inline constexpr std::uint64_t kMostLoss = 32;

inline constexpr std::size_t kUnits = 0, kCorrect = 1, kLoss = 2, kPerLabel = 3;
inline constexpr std::size_t kTruePositive = 0, kFalsePositive = 1, kFalseNegative = 2;

inline constexpr FigureKind kAccuracy = {.name = "accuracy",
                                         .title = "accuracy",
                                         .help = "Held-out accuracy.",
                                         .is_share = true,
                                         .place = "/accuracy"};
inline constexpr FigureKind kMeanLoss = {.name = "loss",
                                         .title = "loss",
                                         .help = "Mean held-out loss.",
                                         .less_is_better = true,
                                         .place = "/loss"};
inline constexpr FigureKind kMacroF1 = {.name = "macro_f1",
                                        .title = "macro F1",
                                        .help = "Held-out macro F1.",
                                        .is_share = true,
                                        .place = "/macro_f1"};

/// Returns the three common counters, then "tp:L", "fp:L" and "fn:L" of every label L.
std::vector<Counter> labelled_counters(std::string_view units,
                                       const std::vector<std::string>& labels);

/// Returns the sum of `units` losses, limited to its bounds. A sum that is not finite counts as the
/// largest.
double bounded_loss(double loss, std::uint64_t units);

/// Sums over all labels of a task whose counts are labelled_counters().
struct LabelTotals {
  std::uint64_t found = 0;      // true positives
  std::uint64_t predicted = 0;  // true and false positives
  std::uint64_t present = 0;    // true positives and false negatives
};

LabelTotals label_totals(std::span<const std::uint64_t> counts);

/// Adds accuracy and loss to the evaluation.
void fill_common_figures(Evaluation& evaluation, std::span<const std::uint64_t> sums,
                         Rounding rounding);

/// Returns the accuracy on `evaluation` of always predicting `label`.
double accuracy_of_constant(std::int64_t label, std::span<const std::int64_t> evaluation);

}  // namespace sotto::tasks

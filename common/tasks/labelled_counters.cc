#include "common/tasks/labelled_counters.h"

#include <algorithm>
#include <cmath>

namespace sotto::tasks {

std::vector<Counter> labelled_counters(std::string_view units,
                                       const std::vector<std::string>& labels) {
  std::vector<Counter> out = {
      {.name = std::string(units)},
      {.name = "correct", .excess = "more examples are correct than are counted"},
      {.name = "loss_milli",
       .most = kMostLoss,
       .scale = 1000,
       .excess = "the loss is larger than the loss of that many examples can be"}};
  for (const std::string& label : labels)
    for (const char* kind : {"tp:", "fp:", "fn:"})
      out.push_back({.name = kind + label,
                     .excess = "a label is counted more often than there are examples"});
  return out;
}

double bounded_loss(double loss, std::uint64_t units) {
  const double most = static_cast<double>(kMostLoss) * static_cast<double>(units);
  return std::isfinite(loss) ? std::clamp(loss, 0.0, most) : most;
}

LabelTotals label_totals(std::span<const std::uint64_t> counts) {
  LabelTotals out;
  for (std::size_t i = kPerLabel; i < counts.size(); i += 3) {
    const auto label = counts.subspan(i, 3);
    out.found += label[kTruePositive];
    out.predicted += label[kTruePositive] + label[kFalsePositive];
    out.present += label[kTruePositive] + label[kFalseNegative];
  }
  return out;
}

void fill_common_figures(Evaluation& evaluation, std::span<const std::uint64_t> sums,
                         Rounding rounding) {
  const auto n = static_cast<double>(sums[kUnits]);
  evaluation.figures = {{kAccuracy, rounding(static_cast<double>(sums[kCorrect]) / n)},
                        {kMeanLoss, rounding(static_cast<double>(sums[kLoss]) / 1000 / n)}};
}

double accuracy_of_constant(std::int64_t label, std::span<const std::int64_t> evaluation) {
  if (evaluation.empty()) return 0;
  return static_cast<double>(std::ranges::count(evaluation, label)) /
         static_cast<double>(evaluation.size());
}

}  // namespace sotto::tasks

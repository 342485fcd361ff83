#include "common/tasks/causal_language_modeling.h"

#include <algorithm>
#include <cmath>

#include "common/tasks/labelled_counters.h"

namespace sotto::tasks {

namespace {

constexpr FigureKind kPerplexity = {.name = "perplexity",
                                    .title = "perplexity",
                                    .help = "Held-out perplexity.",
                                    .less_is_better = true,
                                    .place = "/perplexity"};

}  // namespace

void CausalLanguageModeling::count(CounterSums& sums, const Text& text) {
  sums[kUnits] += static_cast<double>(text.tokens);
  if (std::isfinite(text.loss)) sums[kCorrect] += static_cast<double>(text.correct);
  sums[kLoss] += bounded_loss(text.loss, text.tokens);
}

std::vector<SettingMistake> CausalLanguageModeling::mistakes() const {
  if (settings().labels.empty()) return {};
  return {{"task.labels", "language modelling has no labels; allowed: none"}};
}

std::vector<Counter> CausalLanguageModeling::counters() const {
  return labelled_counters("tokens", {});
}

std::uint64_t CausalLanguageModeling::units_per_example() const {
  return std::max<std::uint64_t>(max_length(), 2) - 1;
}

double CausalLanguageModeling::largest_squared_change() const {
  return 3;
}

std::vector<FigureKind> CausalLanguageModeling::figures() const {
  return {kAccuracy, kPerplexity, kMeanLoss};
}

FigureKind CausalLanguageModeling::headline() const {
  return kPerplexity;
}

void CausalLanguageModeling::fill(Evaluation& evaluation, std::span<const std::uint64_t> sums,
                                  Rounding rounding) const {
  fill_common_figures(evaluation, sums, rounding);
  // Readers of metrics.jsonl expect the key macro_f1 in every line; it is 0 for this task.
  evaluation.figures.push_back({kMacroF1, 0});
  evaluation.figures.push_back({kPerplexity, std::exp(evaluation.value("loss"))});
}

}  // namespace sotto::tasks

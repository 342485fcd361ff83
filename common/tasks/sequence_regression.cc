#include "common/tasks/sequence_regression.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <system_error>

namespace sotto::tasks {

namespace {

// Values are counted in units of the declared range: a target at its beginning is 0, one at its
// end 1. The mean squared error, the mean absolute error and R^2 follow from these counters.
constexpr std::size_t kExamples = 0, kSquaredError = 1, kAbsoluteError = 2, kTarget = 3,
                      kSquaredTarget = 4, kCounters = 5;
constexpr std::uint64_t kScale = 1 << 14;

constexpr FigureKind kMeanSquaredError = {.name = "loss",
                                          .title = "mean squared error",
                                          .help = "Held-out mean squared error.",
                                          .less_is_better = true,
                                          .place = "/loss"};
constexpr FigureKind kMeanAbsoluteError = {.name = "mean_absolute_error",
                                           .title = "mean absolute error",
                                           .help = "Held-out mean absolute error.",
                                           .less_is_better = true,
                                           .place = "/mean_absolute_error"};
constexpr FigureKind kRSquared = {.name = "r_squared",
                                  .title = "R^2",
                                  .help = "Held-out coefficient of determination.",
                                  .place = "/r_squared"};

std::string text_of(double value, int digits) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.*g", digits, value);
  return text.data();
}

std::string in_words(double value) {
  return text_of(value, 6);
}

}  // namespace

double SequenceRegression::target(std::int64_t label) const {
  return settings().target_min + range() * (static_cast<double>(label) / kSteps);
}

void SequenceRegression::count(CounterSums& sums, std::int64_t label, double prediction) const {
  const double y = static_cast<double>(label) / kSteps;
  const double predicted =
      std::isfinite(prediction)
          ? std::clamp((prediction - settings().target_min) / range(), 0.0, 1.0)
          : (y < 0.5 ? 1.0 : 0.0);
  const double error = std::abs(predicted - y);
  sums[kExamples] += 1;
  sums[kSquaredError] += error * error;
  sums[kAbsoluteError] += error;
  sums[kTarget] += y;
  sums[kSquaredTarget] += y * y;
}

std::string SequenceRegression::purpose() const {
  return "The model learns to predict a number from " + in_words(settings().target_min) + " to " +
         in_words(settings().target_max) + " for a text.";
}

std::vector<SettingMistake> SequenceRegression::mistakes() const {
  std::vector<SettingMistake> out;
  if (!settings().labels.empty())
    out.push_back({"task.labels", "sequence regression has no labels; allowed: none"});
  if (!(settings().target_min < settings().target_max))
    out.push_back({"task.target_max", "found " + in_words(settings().target_max) +
                                          "; needed: a number above task.target_min, so that the "
                                          "two keys are the range of the targets"});
  return out;
}

std::optional<std::int64_t> SequenceRegression::label_number(std::string_view text) const {
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  const double place = std::clamp((value - settings().target_min) / range(), 0.0, 1.0);
  return std::llround(place * kSteps);
}

std::string SequenceRegression::label_text(std::int64_t number) const {
  return text_of(target(number), 17);
}

std::string SequenceRegression::unknown_label(const std::string& /*admitted*/) const {
  return "has a label that is not a number";
}

std::vector<Counter> SequenceRegression::counters() const {
  return {
      {.name = "examples"},
      {.name = "squared_error",
       .scale = kScale,
       .excess = "the squared error is larger than the squared error of that many examples can be"},
      {.name = "absolute_error",
       .scale = kScale,
       .excess =
           "the absolute error is larger than the absolute error of that many examples can be"},
      {.name = "target", .scale = kScale, .excess = "the targets are above their range"},
      {.name = "squared_target",
       .scale = kScale,
       .excess = "the squared targets are above their range"}};
}

/// Each counter changes by at most its bound; a target and an error of 1 reach all five bounds.
double SequenceRegression::largest_squared_change() const {
  return kCounters;
}

std::vector<FigureKind> SequenceRegression::figures() const {
  return {kMeanSquaredError, kRSquared, kMeanAbsoluteError};
}

/// R^2 is 1 - squared error / squared deviation of the targets from their mean. It is 0 when all
/// targets are equal.
void SequenceRegression::fill(Evaluation& evaluation, std::span<const std::uint64_t> sums,
                              Rounding rounding) const {
  const auto n = static_cast<double>(sums[kExamples]);
  const auto mean = [&](std::size_t counter) {
    return static_cast<double>(sums[counter]) / static_cast<double>(kScale) / n;
  };
  const double variance = mean(kSquaredTarget) - mean(kTarget) * mean(kTarget);
  const double r_squared = variance > 0 ? 1 - mean(kSquaredError) / variance : 0;
  evaluation.figures = {{kMeanSquaredError, range() * range() * rounding(mean(kSquaredError))},
                        {kRSquared, rounding(r_squared)},
                        {kMeanAbsoluteError, range() * rounding(mean(kAbsoluteError))}};
}

std::optional<ConstantAnswer> SequenceRegression::constant_answer() const {
  return ConstantAnswer{"_mean_target", "mean target"};
}

double SequenceRegression::figure_of_constant(std::span<const std::int64_t> train,
                                              std::span<const std::int64_t> evaluation) const {
  if (train.empty() || evaluation.empty()) return 0;
  double mean = 0, squares = 0;
  for (const std::int64_t label : train)
    mean += target(label) / static_cast<double>(train.size());
  for (const std::int64_t label : evaluation)
    squares += (target(label) - mean) * (target(label) - mean);
  return squares / static_cast<double>(evaluation.size());
}

std::string_view SequenceRegression::saved_config() const {
  return R"({"problem_type": "regression", "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}})";
}

}  // namespace sotto::tasks

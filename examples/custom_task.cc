// A task of one's own: the rating of a text from 1 to 5 stars, of which the mean distance from the
// right rating matters. This is the half without torch, which coordinator and participants share.
// Inside Sotto it would stand in common/tasks/ with one entry in registry.cc, beside its other half
// with head and loss (docs/extending.md). Here three sites evaluate, and the figures are computed
// from the sums of their counters, as a coordinator computes them.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "common/base/check.h"
#include "common/tasks/task.h"

using namespace sotto;

namespace {

constexpr tasks::FigureKind kMeanDistance = {.name = "loss",
                                             .title = "mean distance",
                                             .help = "Held-out mean distance in stars.",
                                             .less_is_better = true,
                                             .place = "/loss"};
constexpr tasks::FigureKind kExact = {.name = "exact",
                                      .title = "exact ratings",
                                      .help = "Held-out share of exact ratings.",
                                      .is_share = true,
                                      .place = "/exact"};

class Rating final : public tasks::Task {
 public:
  using Task::Task;

  static constexpr std::int64_t kStars = 5;

  enum { kTexts, kDistance, kExactRatings, kCounters };

  /// Adds one text to the sums. An answer outside of the scale counts as the worst one.
  static void count(tasks::CounterSums& sums, std::int64_t label, std::int64_t predicted) {
    const bool valid = predicted >= 0 && predicted < kStars;
    sums[kTexts] += 1;
    sums[kDistance] += static_cast<double>(valid ? std::abs(label - predicted) : kStars - 1);
    sums[kExactRatings] += label == predicted ? 1 : 0;
  }

  [[nodiscard]] std::string purpose() const override { return "To rate a text with 1 to 5 stars."; }

  [[nodiscard]] std::string_view title() const override { return "rating"; }

  [[nodiscard]] std::string_view example_noun() const override { return "one rated text"; }

  [[nodiscard]] std::string_view example_description() const override {
    return "one rated text, which is one line of the training file";
  }

  [[nodiscard]] std::vector<tasks::SettingMistake> mistakes() const override {
    if (settings().labels.empty()) return {};
    return {{"task.labels", "a rating has no labels; allowed: none"}};
  }

  [[nodiscard]] tasks::RecordForm form() const override {
    return tasks::RecordForm::kLabelledTexts;
  }

  [[nodiscard]] std::vector<std::string> classes() const override {
    return {"1", "2", "3", "4", "5"};
  }

  [[nodiscard]] std::int64_t label_limit() const override { return kStars; }

  [[nodiscard]] std::optional<std::int64_t> label_number(std::string_view text) const override {
    if (text.size() != 1 || text[0] < '1' || text[0] > '5') return std::nullopt;
    return text[0] - '1';
  }

  [[nodiscard]] std::string label_text(std::int64_t number) const override {
    return std::to_string(number + 1);
  }

  [[nodiscard]] std::vector<tasks::Counter> counters() const override {
    return {{.name = "texts"},
            {.name = "distance",
             .most = kStars - 1,
             .excess = "the distance is larger than that of so many texts can be"},
            {.name = "exact", .excess = "there are more exact ratings than texts"}};
  }

  /// One text changes the number of texts by its bound, and either the distance or the exact
  /// ratings by at most theirs.
  [[nodiscard]] double largest_squared_change() const override { return 2; }

  [[nodiscard]] std::vector<tasks::FigureKind> figures() const override {
    return {kMeanDistance, kExact};
  }

  [[nodiscard]] std::string_view peft_type() const override { return "SEQ_CLS"; }

 private:
  void fill(tasks::Evaluation& evaluation, std::span<const std::uint64_t> sums,
            tasks::Rounding rounding) const override {
    const auto mean = [&](std::size_t counter) {
      return rounding(static_cast<double>(sums[counter]) / static_cast<double>(sums[kTexts]));
    };
    evaluation.figures = {{kMeanDistance, mean(kDistance)}, {kExact, mean(kExactRatings)}};
  }
};

}  // namespace

int main() {
  const Rating task({.type = "rating"}, /*max_length=*/32);
  SOTTO_CHECK(task.label_number("4") == 3 && !task.label_number("6"), "labels are 1 to 5");

  std::vector<std::uint64_t> sum(task.counters().size(), 0);
  for (std::int64_t site = 0; site < 3; ++site) {
    tasks::CounterSums sums = task.zero_sums();
    for (std::int64_t text = 0; text < 200; ++text)  // a model that errs by one star now and then
      Rating::count(sums, text % 5, text % 4 == site ? (text % 5 + 1) % 5 : text % 5);
    const std::vector<std::uint64_t> counters = task.in_steps(sums);
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] += counters[i];
  }
  const tasks::Evaluation found = task.summarise(sum, tasks::four_decimals);
  std::printf("%llu texts, mean distance %s, exact ratings %s\n",
              static_cast<unsigned long long>(found.units),
              tasks::shown(kMeanDistance, found.value("loss")).c_str(),
              tasks::shown(kExact, found.value("exact")).c_str());
  // 150 of 600 answers are wrong: by one star, or by four where the label is 5.
  const bool right = found.units == 600 && found.value("exact") == 0.75 &&
                     std::abs(found.value("loss") - 0.4) < 1e-9;
  return right ? 0 : 1;
}

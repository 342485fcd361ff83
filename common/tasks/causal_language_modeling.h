// CausalLanguageModeling is the task of predicting the next token of a text.
#pragma once

#include "common/tasks/task.h"

namespace sotto::tasks {

class CausalLanguageModeling final : public Task {
 public:
  using Task::Task;

  /// The predictions for one text.
  struct Text {
    std::uint64_t tokens = 0;   // predicted tokens: all but the first
    std::uint64_t correct = 0;  // tokens of which the most likely one was right
    double loss = 0;            // sum of the cross entropies of the predicted tokens
  };

  /// Adds one text to the sums. No token of a text whose loss is not finite counts as correct.
  static void count(CounterSums& sums, const Text& text);

  [[nodiscard]] std::string purpose() const override {
    return "The model learns causal language modelling: to predict the next token of a text.";
  }

  [[nodiscard]] std::string_view title() const override { return "causal language modelling"; }

  [[nodiscard]] std::string_view example_noun() const override { return "one line of text"; }

  [[nodiscard]] std::string_view example_description() const override { return "one line of text"; }

  [[nodiscard]] std::vector<SettingMistake> mistakes() const override;

  [[nodiscard]] RecordForm form() const override { return RecordForm::kTexts; }

  [[nodiscard]] std::vector<Counter> counters() const override;
  [[nodiscard]] std::uint64_t units_per_example() const override;
  [[nodiscard]] double largest_squared_change() const override;
  [[nodiscard]] std::vector<FigureKind> figures() const override;
  [[nodiscard]] FigureKind headline() const override;

  [[nodiscard]] std::string_view peft_type() const override { return "CAUSAL_LM"; }

 private:
  void fill(Evaluation& evaluation, std::span<const std::uint64_t> sums,
            Rounding rounding) const override;
};

}  // namespace sotto::tasks

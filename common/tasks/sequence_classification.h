// SequenceClassification is the task of assigning one of the job's labels to a text.
#pragma once

#include "common/tasks/task.h"

namespace sotto::tasks {

class SequenceClassification final : public Task {
 public:
  using Task::Task;

  /// Adds one example to the sums. An example whose loss is not finite counts as wrong, with the
  /// largest loss, regardless of the prediction.
  static void count(CounterSums& sums, std::int64_t label, std::int64_t predicted, double loss);

  [[nodiscard]] std::string purpose() const override;

  [[nodiscard]] std::string_view title() const override { return "sequence classification"; }

  [[nodiscard]] std::string_view example_noun() const override { return "one labelled text"; }

  [[nodiscard]] std::string_view example_description() const override {
    return "one labelled text, which is one line of the training file";
  }

  [[nodiscard]] std::vector<SettingMistake> mistakes() const override;

  [[nodiscard]] RecordForm form() const override { return RecordForm::kLabelledTexts; }

  [[nodiscard]] std::vector<Counter> counters() const override;
  [[nodiscard]] double largest_squared_change() const override;
  [[nodiscard]] Status check_relations(std::span<const std::uint64_t> counts) const override;
  [[nodiscard]] std::vector<FigureKind> figures() const override;
  [[nodiscard]] std::optional<ConstantAnswer> constant_answer() const override;
  [[nodiscard]] double figure_of_constant(std::span<const std::int64_t> train,
                                          std::span<const std::int64_t> evaluation) const override;

  [[nodiscard]] std::string_view peft_type() const override { return "SEQ_CLS"; }

 private:
  void fill(Evaluation& evaluation, std::span<const std::uint64_t> sums,
            Rounding rounding) const override;
};

}  // namespace sotto::tasks

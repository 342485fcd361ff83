// SequenceRegression is the task of predicting a number for a text. Targets and, in an evaluation,
// predictions are clipped to a range that the job declares. The range is public, so that each
// counter has a public bound.
#pragma once

#include "common/tasks/task.h"

namespace sotto::tasks {

class SequenceRegression final : public Task {
 public:
  using Task::Task;

  /// The label of an example is the number of a step: its target is target_min + label *
  /// (target_max - target_min) / kSteps. The steps are as fine as float32 over the range.
  static constexpr std::int64_t kSteps = 1 << 24;

  /// Returns the target of a label.
  [[nodiscard]] double target(std::int64_t label) const;

  /// Adds one example to the sums. The prediction is clipped to the range. A prediction that is not
  /// finite counts as the end of the range that is further from the target.
  void count(CounterSums& sums, std::int64_t label, double prediction) const;

  [[nodiscard]] std::string purpose() const override;

  [[nodiscard]] std::string_view title() const override { return "sequence regression"; }

  [[nodiscard]] std::string_view example_noun() const override { return "one text with a number"; }

  [[nodiscard]] std::string_view example_description() const override {
    return "one text with the number that belongs to it, which is one line of the training file";
  }

  [[nodiscard]] std::vector<std::string_view> own_settings() const override {
    return {"task.target_min", "task.target_max"};
  }

  [[nodiscard]] std::vector<SettingMistake> mistakes() const override;

  [[nodiscard]] RecordForm form() const override { return RecordForm::kLabelledTexts; }

  [[nodiscard]] std::vector<std::string> classes() const override { return {}; }

  [[nodiscard]] std::int64_t label_limit() const override { return kSteps + 1; }

  [[nodiscard]] std::size_t strata() const override { return 0; }

  [[nodiscard]] std::optional<std::int64_t> label_number(std::string_view text) const override;
  [[nodiscard]] std::string label_text(std::int64_t number) const override;
  [[nodiscard]] std::string unknown_label(const std::string& admitted) const override;
  [[nodiscard]] std::vector<Counter> counters() const override;
  [[nodiscard]] double largest_squared_change() const override;
  [[nodiscard]] std::vector<FigureKind> figures() const override;
  [[nodiscard]] std::optional<ConstantAnswer> constant_answer() const override;
  [[nodiscard]] double figure_of_constant(std::span<const std::int64_t> train,
                                          std::span<const std::int64_t> evaluation) const override;

  [[nodiscard]] std::string_view peft_type() const override { return "SEQ_CLS"; }

  [[nodiscard]] std::string_view saved_config() const override;

 private:
  [[nodiscard]] double range() const { return settings().target_max - settings().target_min; }

  void fill(Evaluation& evaluation, std::span<const std::uint64_t> sums,
            Rounding rounding) const override;
};

}  // namespace sotto::tasks

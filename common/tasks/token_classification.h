// TokenClassification is the task of finding entities in a text: it assigns a tag of the IOB2
// scheme to every word.
#pragma once

#include "common/tasks/task.h"

namespace sotto::tasks {

class TokenClassification final : public Task {
 public:
  using Task::Task;

  /// Adds one sentence to the sums: the predicted and the right tag of each word, of which the
  /// first max_length() are counted, and the sum of the cross entropies of the words that the model
  /// saw. A sentence whose loss is not finite counts as one without any prediction.
  void count(CounterSums& sums, std::span<const std::int64_t> predicted,
             std::span<const std::int64_t> right, double loss) const;

  [[nodiscard]] std::string purpose() const override;

  [[nodiscard]] std::string_view title() const override { return "token classification"; }

  [[nodiscard]] std::string_view example_noun() const override { return "one sentence"; }

  [[nodiscard]] std::string_view example_description() const override {
    return "one sentence with the tags of its words";
  }

  [[nodiscard]] std::vector<SettingMistake> mistakes() const override;

  [[nodiscard]] RecordForm form() const override { return RecordForm::kTaggedWords; }

  /// The tags: "O", then "B-" and "I-" of every label.
  [[nodiscard]] std::vector<std::string> classes() const override;
  [[nodiscard]] std::optional<std::size_t> label_of_class(std::size_t index) const override;

  /// The group of a sentence is its label: 1 + the label of its first entity, 0 without one.
  [[nodiscard]] std::size_t strata() const override { return settings().labels.size() + 1; }

  [[nodiscard]] std::string unknown_label(const std::string& admitted) const override;
  [[nodiscard]] std::vector<Counter> counters() const override;

  [[nodiscard]] std::uint64_t units_per_example() const override { return max_length(); }

  [[nodiscard]] double largest_squared_change() const override;
  [[nodiscard]] Status check_relations(std::span<const std::uint64_t> counts) const override;
  [[nodiscard]] std::vector<FigureKind> figures() const override;
  [[nodiscard]] FigureKind headline() const override;
  [[nodiscard]] std::optional<ConstantAnswer> constant_answer() const override;
  [[nodiscard]] double figure_of_constant(std::span<const std::int64_t> train,
                                          std::span<const std::int64_t> evaluation) const override;

  [[nodiscard]] std::string_view peft_type() const override { return "TOKEN_CLS"; }

 private:
  void fill(Evaluation& evaluation, std::span<const std::uint64_t> sums,
            Rounding rounding) const override;
};

}  // namespace sotto::tasks

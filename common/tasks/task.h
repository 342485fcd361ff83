// Task is the torch-free half of a task: the form of its data, the counters that an evaluation sums
// over a federation, and the figures that are computed from the sums. Coordinator and participants
// use the same class, so that they agree on counters, bounds and noise. The other half, with head
// and loss, is participant/learning/tasks/task_learning_torch.h; docs/extending.md describes how to
// add a task.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace sotto::tasks {

/// The section "task" of job.json. A task uses the settings that Task::settings() lists.
struct TaskSettings {
  std::string type = "sequence_classification";  // a name in the table of registry.cc
  std::vector<std::string> labels{};             // classes, or kinds of entities, in index order
  double target_min = 0, target_max = 0;         // regression: the range of the targets
};

/// A rule of the job that a setting breaks.
struct SettingMistake {
  std::string_view path;  // "task.labels"
  std::string text;
};

/// How a site's records hold the examples of a task (participant/data/examples.h).
enum class RecordForm {
  kTexts,          // a text
  kLabelledTexts,  // a label and a text
  kTaggedWords     // the words of a sentence, each with a tag
};

/// A sum over the evaluation split of a site. The first counter of a task counts its units: the
/// examples, words or tokens that were evaluated. Every other counter is bounded by a multiple of
/// that count, and noise on the counters is calibrated to the bound (common/job/counter_noise.h).
struct Counter {
  std::string name;
  /// The most that one unit adds to the counter, in the counter's own unit. Values are limited to
  /// this bound before they are added.
  std::uint64_t most = 1;
  /// Steps in which a value is counted: thousandths of a loss, for example. 1: an exact count.
  std::uint64_t scale = 1;
  /// The message for a sum above the bound; it is public and contains no count.
  std::string_view excess{};

  [[nodiscard]] std::uint64_t most_steps() const { return most * scale; }
};

/// A figure of merit that people read.
struct FigureKind {
  std::string_view name;   // key in JSON, stopping.metric, suffix of the Prometheus gauge
  std::string_view title;  // "macro F1"
  std::string_view help;   // a sentence
  bool is_share = false;   // from 0 to 1, shown in per cent
  bool less_is_better = false;
  /// JSON pointer to the figure inside the object "evaluation" of metrics.jsonl.
  std::string_view place{};
};

struct Figure {
  FigureKind kind;
  double value = 0;
};

/// Returns the value for people: "81.2 %", "4.21", "0.0312".
std::string shown(const FigureKind& kind, double value);

/// Precision, recall and F1 of one kind of entity, 0 where nothing was predicted or present.
struct EntityScore {
  double precision = 0, recall = 0, f1 = 0;
  std::uint64_t support = 0;  // entities that are present
};

/// The report of token classification: the scores of each label in the job's order, and three
/// averages: micro over all entities, macro over the labels, weighted over the labels by support.
struct EntityReport {
  std::vector<std::pair<std::string, EntityScore>> labels;
  EntityScore micro, macro, weighted;
};

/// The result of one evaluation.
struct Evaluation {
  std::uint64_t units = 0;  // evaluated examples, words or tokens
  std::vector<Figure> figures{};
  FigureKind headline{};                   // the figure that is shown where there is room for one
  std::optional<EntityReport> entities{};  // an additional table

  /// Returns the value of the figure with this name; 0 when the evaluation has none.
  [[nodiscard]] double value(std::string_view name) const;
};

/// Rounds a figure before it is published, or leaves it as it is.
using Rounding = double (*)(double);
double exact(double figure);
/// Four decimals: a figure does not reveal the counts of which it is a fraction.
double four_decimals(double figure);

/// The best prediction that does not depend on the text, as a baseline.
struct ConstantAnswer {
  std::string_view suffix;  // of the JSON keys: "accuracy" + "_majority"
  std::string_view title;   // "majority class"
};

/// The loss of an example that could not be computed.
inline constexpr double kNoAnswer = std::numeric_limits<double>::quiet_NaN();

/// Sums of values over the evaluation split, one for each counter, in the unit of the counter.
using CounterSums = std::vector<double>;

/// A task with the settings of one job. Immutable; any thread.
class Task {
 public:
  /// `max_length`: the token positions that are used of a text (model.max_length).
  Task(TaskSettings settings, std::uint32_t max_length)
      : settings_(std::move(settings)), max_length_(max_length) {}

  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // ---- Texts

  /// Returns what a model of this task does: a sentence for `policy explain`.
  [[nodiscard]] virtual std::string purpose() const = 0;
  /// Returns the name of the task in running text.
  [[nodiscard]] virtual std::string_view title() const = 0;
  /// These functions describe one example for the privacy statement, shortly and in full.
  [[nodiscard]] virtual std::string_view example_noun() const = 0;
  [[nodiscard]] virtual std::string_view example_description() const = 0;

  // ---- Settings

  /// Returns the settings that this task uses beside task.type and task.labels. Those of other
  /// tasks stay at their defaults and are not part of the canonical job.
  [[nodiscard]] virtual std::vector<std::string_view> own_settings() const { return {}; }

  /// Checks the rules of job.json for this task beyond the types and ranges of single settings.
  [[nodiscard]] virtual std::vector<SettingMistake> mistakes() const = 0;

  // ---- Data

  [[nodiscard]] virtual RecordForm form() const = 0;

  /// Returns the classes that the head of the model distinguishes, in the order of its outputs;
  /// empty when the outputs are not classes.
  [[nodiscard]] virtual std::vector<std::string> classes() const { return settings_.labels; }

  /// Returns the index in the job's labels to which a class belongs; nothing for a class that every
  /// job has.
  [[nodiscard]] virtual std::optional<std::size_t> label_of_class(std::size_t index) const {
    return index;
  }

  /// Labels of examples are numbers from 0 to label_limit() - 1.
  [[nodiscard]] virtual std::int64_t label_limit() const;

  /// Returns the number of groups that a partition by label distinguishes; 0 when there are none.
  [[nodiscard]] virtual std::size_t strata() const { return settings_.labels.size(); }

  /// Returns the label of a record as a number, or nothing when the record does not fit the job.
  [[nodiscard]] virtual std::optional<std::int64_t> label_number(std::string_view text) const;
  /// Returns a text that label_number() reads as `number`.
  [[nodiscard]] virtual std::string label_text(std::int64_t number) const;
  /// Returns the mistake in a record for whose label label_number() returns nothing. `admitted`
  /// lists the classes that may occur.
  [[nodiscard]] virtual std::string unknown_label(const std::string& admitted) const;

  // ---- Evaluation

  /// Returns the counters in the order in which they are sent; the first one counts the units.
  [[nodiscard]] virtual std::vector<Counter> counters() const = 0;

  /// Returns the largest number of units in one example of an evaluation split, at least 1.
  [[nodiscard]] virtual std::uint64_t units_per_example() const { return 1; }

  /// Returns an upper bound on the sum of the squared changes of all counters by one example, each
  /// in units of its own largest change. The noise on the counters is calibrated to it.
  [[nodiscard]] virtual double largest_squared_change() const = 0;

  /// Checks relations between counters beyond their bounds. The Error is public and contains no
  /// count.
  [[nodiscard]] virtual Status check_relations(std::span<const std::uint64_t> counts) const;

  /// Returns the figures of an evaluation, those of a report's two columns first. Every task has
  /// "loss".
  [[nodiscard]] virtual std::vector<FigureKind> figures() const = 0;

  [[nodiscard]] virtual FigureKind headline() const { return figures().front(); }

  /// Computes the figures. `sums` are in the order of counters(); all figures are 0 when no unit
  /// was evaluated.
  [[nodiscard]] Evaluation summarise(std::span<const std::uint64_t> sums, Rounding rounding) const;

  /// Returns nothing when no constant answer is a useful baseline.
  [[nodiscard]] virtual std::optional<ConstantAnswer> constant_answer() const {
    return std::nullopt;
  }

  /// Returns the first figure, on the labels of the evaluation split, of a model that always gives
  /// the best constant answer for those of the training split. Labels are those of examples, or of
  /// words if words are tagged.
  [[nodiscard]] virtual double figure_of_constant(std::span<const std::int64_t> train,
                                                  std::span<const std::int64_t> evaluation) const;

  // ---- Saved models

  /// "task_type" of PEFT's adapter_config.json.
  [[nodiscard]] virtual std::string_view peft_type() const = 0;

  /// A JSON object that is merged into the config.json of a saved model; empty when the file is
  /// copied as it is.
  [[nodiscard]] virtual std::string_view saved_config() const { return {}; }

  // ---- The same for every task

  [[nodiscard]] const TaskSettings& settings() const { return settings_; }

  [[nodiscard]] std::uint32_t max_length() const { return max_length_; }

  [[nodiscard]] std::vector<std::string> counter_names() const;

  [[nodiscard]] CounterSums zero_sums() const { return CounterSums(counters().size(), 0); }

  /// Rounds sums to whole steps, as they are sent.
  [[nodiscard]] std::vector<std::uint64_t> in_steps(const CounterSums& sums) const;

 protected:
  /// Adds the figures that follow from the counters; sums[0] > 0.
  virtual void fill(Evaluation& evaluation, std::span<const std::uint64_t> sums,
                    Rounding rounding) const = 0;

 private:
  TaskSettings settings_;
  std::uint32_t max_length_;
};

}  // namespace sotto::tasks

#include "participant/cli/model_scores.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/utf8.h"
#include "common/tasks/causal_language_modeling.h"
#include "common/tasks/entities.h"
#include "common/tasks/labelled_counters.h"
#include "common/tasks/sequence_classification.h"
#include "common/tasks/token_classification.h"
#include "participant/cli/model_answers.h"

namespace sotto::participant {

namespace {

using nlohmann::json;
using tasks::EntityScore;
using training::Prediction;

/// Nothing is left out of an evaluation here, whatever the length of a text.
constexpr std::uint32_t kAnyLength = 1U << 30U;

/// The most classes whose confusion matrix is printed whole.
constexpr std::size_t kMostColumns = 10;

/// The most confusions that are listed where the matrix is too wide.
constexpr std::size_t kMostConfusions = 10;

/// Returns the text with blanks up to the width, in characters.
std::string padded(const std::string& text, std::size_t width) {
  const std::size_t length = utf8_length(text);
  return text + std::string(length < width ? width - length : 1, ' ');
}

/// Returns the text at the right end of a column.
std::string at_right(const std::string& text, std::size_t width) {
  return std::string(text.size() < width ? width - text.size() : 1, ' ') + text;
}

std::string share(double value) {
  return at_right(fixed_text(100 * value, 1) + " %", 11);
}

std::size_t width_of(const std::vector<std::string>& names) {
  std::size_t out = 12;
  for (const std::string& name : names)
    out = std::max(out, utf8_length(name) + 2);
  return out;
}

json json_of(const EntityScore& s) {
  return {{"precision", s.precision}, {"recall", s.recall}, {"f1", s.f1}, {"support", s.support}};
}

std::string score_line(const std::string& name, std::size_t width, const EntityScore& s) {
  return padded(name, width) + share(s.precision) + share(s.recall) + share(s.f1) +
         at_right(std::to_string(s.support), 9) + "\n";
}

std::string score_head(const char* name, std::size_t width) {
  return padded(name, width) + at_right("precision", 11) + at_right("recall", 11) +
         at_right("F1", 11) + at_right("support", 9) + "\n";
}

/// The figures of a task by its own definitions.
std::string figures_line(const tasks::Task& task, const tasks::Evaluation& evaluation,
                         const char* units) {
  std::string out = std::to_string(evaluation.units) + " " + units;
  for (const tasks::FigureKind& kind : task.figures())
    out += ", " + std::string(kind.title) + " " + shown(kind, evaluation.value(kind.name));
  return out + "\n";
}

json figures_of(const tasks::Task& task, const tasks::Evaluation& evaluation) {
  json out = {{"task", task.settings().type}};
  for (const tasks::FigureKind& kind : task.figures())
    out[std::string(kind.name)] = evaluation.value(kind.name);
  return out;
}

class ClassScores final : public ModelScores {
 public:
  explicit ClassScores(const SavedTask& task)
      : task_({.type = task.type, .labels = task.classes}, kAnyLength),
        sums_(task_.zero_sums()),
        confusion_(task.classes.size(), std::vector<std::uint64_t>(task.classes.size(), 0)) {}

  [[nodiscard]] data::Format usual_format() const override { return data::Format::kLabelled; }

  [[nodiscard]] std::vector<std::string> labels() const override { return task_.settings().labels; }

  Status add(const InputText& text, const Prediction& prediction) override {
    const auto label = task_.label_number(text.label);
    if (!label) return Error{"its label is not one of the model's"};
    const auto right = static_cast<std::size_t>(*label);
    const std::size_t predicted = largest(prediction.logits);
    const double loss = -std::log(probabilities_of(prediction.logits)[right]);
    tasks::SequenceClassification::count(sums_, *label, static_cast<std::int64_t>(predicted),
                                         std::min<double>(loss, tasks::kMostLoss));
    ++confusion_[right][predicted];
    return {};
  }

  [[nodiscard]] std::string object() const override {
    const tasks::Evaluation evaluation = task_.summarise(task_.in_steps(sums_), tasks::exact);
    json out = figures_of(task_, evaluation);
    out["examples"] = evaluation.units;
    for (std::size_t i = 0; i < labels().size(); ++i)
      out["labels"][labels()[i]] = json_of(score(i));
    out["confusion"] = {{"labels", labels()}, {"counts", confusion_}};
    return out.dump();
  }

  [[nodiscard]] std::string table() const override {
    const tasks::Evaluation evaluation = task_.summarise(task_.in_steps(sums_), tasks::exact);
    const std::size_t width = width_of(labels());
    std::string out = figures_line(task_, evaluation, "examples") + "\n";
    out += score_head("label", width);
    for (std::size_t i = 0; i < labels().size(); ++i)
      out += score_line(labels()[i], width, score(i));
    return out + "\n" + (labels().size() <= kMostColumns ? matrix(width) : confusions());
  }

 private:
  [[nodiscard]] EntityScore score(std::size_t label) const {
    std::uint64_t predicted = 0, present = 0;
    for (std::size_t i = 0; i < confusion_.size(); ++i) {
      predicted += confusion_[i][label];
      present += confusion_[label][i];
    }
    const auto found = static_cast<double>(confusion_[label][label]);
    EntityScore out{.support = present};
    if (found == 0) return out;
    out.precision = found / static_cast<double>(predicted);
    out.recall = found / static_cast<double>(present);
    out.f1 = 2 * found / static_cast<double>(predicted + present);
    return out;
  }

  [[nodiscard]] std::string matrix(std::size_t width) const {
    const std::size_t first = width + 4;
    std::string out = padded("label", first) + "answered as\n" + padded("", first);
    for (std::size_t i = 0; i < labels().size(); ++i)
      out += at_right(std::to_string(i + 1), 8);
    for (std::size_t i = 0; i < labels().size(); ++i) {
      out += "\n" + padded(std::to_string(i + 1) + "  " + labels()[i], first);
      for (const std::uint64_t count : confusion_[i])
        out += at_right(std::to_string(count), 8);
    }
    return out + "\n";
  }

  /// The most frequent confusions.
  [[nodiscard]] std::string confusions() const {
    struct Pair {
      std::uint64_t count;
      std::size_t right, predicted;
    };

    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < confusion_.size(); ++i)
      for (std::size_t k = 0; k < confusion_.size(); ++k)
        if (i != k && confusion_[i][k] > 0) pairs.push_back({confusion_[i][k], i, k});
    std::ranges::stable_sort(pairs, std::ranges::greater(), &Pair::count);
    pairs.resize(std::min(pairs.size(), kMostConfusions));
    std::string out = "most frequent confusions (--json prints the whole matrix)\n";
    for (const Pair& p : pairs)
      out += at_right(std::to_string(p.count), 8) + "  " + labels()[p.right] + ", answered as " +
             labels()[p.predicted] + "\n";
    return out;
  }

  tasks::SequenceClassification task_;
  tasks::CounterSums sums_;
  std::vector<std::vector<std::uint64_t>> confusion_;  // [right][predicted]
};

class TagScores final : public ModelScores {
 public:
  TagScores(const SavedTask& task, tasks::TagClasses classes)
      : task_({.type = task.type, .labels = classes.labels}, kAnyLength),
        classes_(std::move(classes)),
        sums_(task_.zero_sums()) {}

  [[nodiscard]] data::Format usual_format() const override { return data::Format::kConll; }

  [[nodiscard]] std::vector<std::string> labels() const override { return task_.settings().labels; }

  Status add(const InputText& text, const Prediction& prediction) override {
    if (text.tags.empty()) return Error{"has no tags; name a CoNLL file with --format conll"};
    std::vector<std::int64_t> right;
    double loss = 0;
    for (std::size_t i = 0; i < text.tags.size(); ++i) {
      const auto tag = task_.label_number(text.tags[i]);
      if (!tag) return Error{"has a tag that the model does not have"};
      right.push_back(*tag);
      loss += word_loss(prediction.words[i].logits, *tag);
    }
    task_.count(sums_, tags_of(prediction, classes_), right, loss);
    ++sentences_;
    return {};
  }

  [[nodiscard]] std::string object() const override {
    const tasks::Evaluation evaluation = task_.summarise(task_.in_steps(sums_), tasks::exact);
    json out = figures_of(task_, evaluation);
    out["sentences"] = sentences_;
    out["words"] = evaluation.units;
    for (const auto& [label, score] : evaluation.entities->labels)
      out["labels"][label] = json_of(score);
    out["micro"] = json_of(evaluation.entities->micro);
    out["macro"] = json_of(evaluation.entities->macro);
    return out.dump();
  }

  [[nodiscard]] std::string table() const override {
    const tasks::Evaluation evaluation = task_.summarise(task_.in_steps(sums_), tasks::exact);
    const std::size_t width = width_of(labels());
    std::string out = std::to_string(sentences_) + " sentences, " +
                      figures_line(task_, evaluation, "words") + "\n" +
                      score_head("entities", width);
    for (const auto& [label, score] : evaluation.entities->labels)
      out += score_line(label, width, score);
    out += score_line("micro", width, evaluation.entities->micro);
    return out + score_line("macro", width, evaluation.entities->macro);
  }

 private:
  /// A word that the tokenizer makes nothing of has no loss, and neither has a tag without a class.
  [[nodiscard]] double word_loss(const std::vector<float>& logits, std::int64_t tag) const {
    const auto at = std::ranges::find(classes_.of_class, tag);
    if (logits.empty() || at == classes_.of_class.end()) return 0;
    const auto index = static_cast<std::size_t>(at - classes_.of_class.begin());
    return std::min<double>(-std::log(probabilities_of(logits)[index]), tasks::kMostLoss);
  }

  tasks::TokenClassification task_;
  tasks::TagClasses classes_;
  tasks::CounterSums sums_;
  std::uint64_t sentences_ = 0;
};

class LanguageScores final : public ModelScores {
 public:
  explicit LanguageScores(const SavedTask& task)
      : task_({.type = task.type}, kAnyLength), sums_(task_.zero_sums()) {}

  [[nodiscard]] data::Format usual_format() const override { return data::Format::kLines; }

  [[nodiscard]] std::vector<std::string> labels() const override { return {}; }

  Status add(const InputText& /*text*/, const Prediction& prediction) override {
    double loss = 0;
    for (const float p : prediction.log_probabilities)
      loss -= static_cast<double>(p);
    tasks::CausalLanguageModeling::count(sums_, {.tokens = prediction.log_probabilities.size(),
                                                 .correct = prediction.correct,
                                                 .loss = loss});
    ++texts_;
    return {};
  }

  [[nodiscard]] std::string object() const override {
    const tasks::Evaluation evaluation = task_.summarise(task_.in_steps(sums_), tasks::exact);
    json out = figures_of(task_, evaluation);
    out["examples"] = texts_;
    out["tokens"] = evaluation.units;
    return out.dump();
  }

  [[nodiscard]] std::string table() const override {
    return std::to_string(texts_) + " texts, " +
           figures_line(task_, task_.summarise(task_.in_steps(sums_), tasks::exact),
                        "predicted tokens");
  }

 private:
  tasks::CausalLanguageModeling task_;
  tasks::CounterSums sums_;
  std::uint64_t texts_ = 0;
};

/// A run clips targets to the range that its job declares; a saved model has no range.
class ValueScores final : public ModelScores {
 public:
  [[nodiscard]] data::Format usual_format() const override { return data::Format::kLabelled; }

  [[nodiscard]] std::vector<std::string> labels() const override { return {}; }

  Status add(const InputText& text, const Prediction& prediction) override {
    double target = 0;
    const char* const end = text.label.data() + text.label.size();
    const auto [stop, failed] = std::from_chars(text.label.data(), end, target);
    if (failed != std::errc() || stop != end || !std::isfinite(target))
      return Error{"its label is not a number"};
    const double error = static_cast<double>(prediction.logits[0]) - target;
    ++count_;
    absolute_ += std::abs(error);
    squared_ += error * error;
    // Welford's sums of the targets, because their mean may be far from 0.
    const double step = target - mean_;
    mean_ += step / static_cast<double>(count_);
    variation_ += step * (target - mean_);
    return {};
  }

  [[nodiscard]] std::string object() const override {
    const json r = variation_ > 0 ? json(r_squared()) : json(nullptr);
    return json{{"task", "sequence_regression"},
                {"examples", count_},
                {"mean_absolute_error", mean(absolute_)},
                {"loss", mean(squared_)},
                {"r_squared", r}}
        .dump();
  }

  [[nodiscard]] std::string table() const override {
    return std::to_string(count_) + " examples, mean absolute error " +
           short_text(mean(absolute_), 6) + ", mean squared error " +
           short_text(mean(squared_), 6) + ", R^2 " +
           (variation_ > 0 ? fixed_text(r_squared(), 4) : "undefined (all targets are equal)") +
           "\n";
  }

 private:
  [[nodiscard]] double mean(double sum) const {
    return count_ > 0 ? sum / static_cast<double>(count_) : 0;
  }

  [[nodiscard]] double r_squared() const { return 1 - squared_ / variation_; }

  std::uint64_t count_ = 0;
  double absolute_ = 0, squared_ = 0, mean_ = 0, variation_ = 0;
};

}  // namespace

Result<std::unique_ptr<ModelScores>> make_scores(const SavedTask& task) {
  if (task.multi_label)
    return Error{
        "the model gives a text several labels (problem_type multi_label_classification), but an "
        "example here has one; use predict --json and compare"};
  if (task.type == "token_classification") {
    SOTTO_ASSIGN_OR_RETURN(tasks::TagClasses classes, tasks::tag_classes(task.classes));
    return std::unique_ptr<ModelScores>(std::make_unique<TagScores>(task, std::move(classes)));
  }
  if (task.type == "causal_language_modeling")
    return std::unique_ptr<ModelScores>(std::make_unique<LanguageScores>(task));
  if (task.type == "sequence_regression")
    return std::unique_ptr<ModelScores>(std::make_unique<ValueScores>());
  return std::unique_ptr<ModelScores>(std::make_unique<ClassScores>(task));
}

}  // namespace sotto::participant

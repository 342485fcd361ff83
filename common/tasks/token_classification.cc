#include "common/tasks/token_classification.h"

#include <algorithm>
#include <cmath>

#include "common/tasks/entities.h"
#include "common/tasks/labelled_counters.h"
#include "common/tasks/words.h"

namespace sotto::tasks {

namespace {

constexpr FigureKind kEntityF1 = {.name = "entity_f1",
                                  .title = "entity F1",
                                  .help = "Held-out F1 of entities, micro average.",
                                  .is_share = true,
                                  .place = "/entities/micro/f1"};

EntityScore score(double found, double wrong, double missed) {
  EntityScore s{.support = static_cast<std::uint64_t>(found + missed)};
  if (found == 0) return s;
  s.precision = found / (found + wrong);
  s.recall = found / (found + missed);
  s.f1 = 2 * found / (2 * found + wrong + missed);
  return s;
}

/// Adds `share` times `s` to an average.
void add(EntityScore& mean, const EntityScore& s, double share) {
  mean.precision += share * s.precision;
  mean.recall += share * s.recall;
  mean.f1 += share * s.f1;
  mean.support += s.support;
}

void round_score(EntityScore& score, Rounding rounding) {
  score.precision = rounding(score.precision);
  score.recall = rounding(score.recall);
  score.f1 = rounding(score.f1);
}

EntityReport entity_report(const std::vector<std::string>& labels,
                           std::span<const std::uint64_t> sums, Rounding rounding) {
  EntityReport report;
  double found = 0, wrong = 0, missed = 0;
  for (std::size_t l = 0; l < labels.size(); ++l) {
    const auto count = [&](std::size_t kind) {
      return static_cast<double>(sums[kPerLabel + 3 * l + kind]);
    };
    report.labels.emplace_back(
        labels[l], score(count(kTruePositive), count(kFalsePositive), count(kFalseNegative)));
    found += count(kTruePositive);
    wrong += count(kFalsePositive);
    missed += count(kFalseNegative);
  }
  report.micro = score(found, wrong, missed);
  const auto present = static_cast<double>(report.micro.support);
  for (const auto& [label, s] : report.labels) {
    add(report.macro, s, 1 / static_cast<double>(labels.size()));
    add(report.weighted, s, present > 0 ? static_cast<double>(s.support) / present : 0);
  }
  for (auto& [label, s] : report.labels)
    round_score(s, rounding);
  for (EntityScore* s : {&report.micro, &report.macro, &report.weighted})
    round_score(*s, rounding);
  return report;
}

}  // namespace

void TokenClassification::count(CounterSums& sums, std::span<const std::int64_t> predicted,
                                std::span<const std::int64_t> right, double loss) const {
  const std::size_t words = std::min<std::size_t>(right.size(), max_length());
  predicted = predicted.first(words);
  right = right.first(words);
  const bool answered = std::isfinite(loss);
  const std::vector<std::int64_t> none(words, 0);
  std::vector<EntityCounts> entities((sums.size() - kPerLabel) / 3);
  count_entities(answered ? predicted : none, right, entities);
  auto slot = sums.begin() + kPerLabel;
  for (const EntityCounts& e : entities)
    for (const std::uint64_t count : {e.found, e.wrong, e.missed})
      *slot++ += static_cast<double>(count);
  sums[kUnits] += static_cast<double>(words);
  for (std::size_t i = 0; answered && i < words; ++i)
    sums[kCorrect] += predicted[i] == right[i] ? 1 : 0;
  sums[kLoss] += bounded_loss(loss, words);
}

std::string TokenClassification::purpose() const {
  return "The model learns to find entities of these kinds in texts: " +
         list_of(settings().labels, 10) + ".";
}

/// Reports labels that are tags and not kinds of entities: they would make tags such as B-B-PER.
std::vector<SettingMistake> TokenClassification::mistakes() const {
  std::vector<SettingMistake> out;
  if (settings().labels.empty())
    out.push_back({"task.labels",
                   "found 0; needed: the kinds of entities, as in [\"PER\", "
                   "\"LOC\"]"});
  for (const std::string& label : settings().labels) {
    if (label == "O" || label.starts_with("B-") || label.starts_with("I-"))
      out.push_back({"task.labels", "\"" + label +
                                        "\" is a tag; needed: the kinds of entities, as in "
                                        "\"PER\", from which the tags O, B-PER, I-PER follow"});
    if (label.find(' ') != std::string::npos)
      out.push_back({"task.labels",
                     "\"" + label + "\" contains a blank, so that data files could not name it"});
  }
  return out;
}

std::vector<std::string> TokenClassification::classes() const {
  std::vector<std::string> tags{"O"};
  for (const std::string& label : settings().labels)
    for (const char* part : {"B-", "I-"})
      tags.push_back(part + label);
  return tags;
}

std::optional<std::size_t> TokenClassification::label_of_class(std::size_t index) const {
  if (index == 0) return std::nullopt;
  return (index - 1) / 2;
}

std::string TokenClassification::unknown_label(const std::string& admitted) const {
  return "has a word whose tag the job does not have; it has " + admitted;
}

std::vector<Counter> TokenClassification::counters() const {
  return labelled_counters("words", settings().labels);
}

/// Units, correct units and loss contribute one each. The entities found and missed, and those
/// found and wrong, are each at most as many as the words; their squares are largest if none is
/// found.
double TokenClassification::largest_squared_change() const {
  return 5;
}

Status TokenClassification::check_relations(std::span<const std::uint64_t> counts) const {
  const LabelTotals labels = label_totals(counts);
  if (labels.predicted <= counts[kUnits] && labels.present <= counts[kUnits]) return {};
  return Error{"there are more entities than words"};
}

std::vector<FigureKind> TokenClassification::figures() const {
  return {kAccuracy, kEntityF1, kMeanLoss, kMacroF1};
}

FigureKind TokenClassification::headline() const {
  return kEntityF1;
}

void TokenClassification::fill(Evaluation& evaluation, std::span<const std::uint64_t> sums,
                               Rounding rounding) const {
  fill_common_figures(evaluation, sums, rounding);
  evaluation.entities = entity_report(settings().labels, sums, rounding);
  evaluation.figures.push_back({kEntityF1, evaluation.entities->micro.f1});
  evaluation.figures.push_back({kMacroF1, evaluation.entities->macro.f1});
}

std::optional<ConstantAnswer> TokenClassification::constant_answer() const {
  return ConstantAnswer{"_majority", "majority class"};
}

/// The constant answer is the tag O.
double TokenClassification::figure_of_constant(std::span<const std::int64_t> /*train*/,
                                               std::span<const std::int64_t> evaluation) const {
  return accuracy_of_constant(0, evaluation);
}

}  // namespace sotto::tasks

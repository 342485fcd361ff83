#include "common/job/evaluation_bounds.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"

namespace sotto::run {

namespace {

constexpr std::size_t kUnits = 0, kCorrect = 1, kLoss = 2, kPerLabel = 3;

/// No sum over 1,364 labels of so many, and no loss of them in thousandths, leaves 64 bits.
constexpr std::uint64_t kMostUnits = std::uint64_t{1} << 48;

/// Over the labels.
struct LabelSums {
  std::uint64_t found = 0;  // tp
  std::uint64_t said = 0;   // tp + fp
  std::uint64_t there = 0;  // tp + fn
  bool each_in_range = true;
};

LabelSums add_up(std::span<const std::uint64_t> counts, std::uint64_t most) {
  LabelSums sums;
  for (std::size_t i = kPerLabel; i < counts.size(); i += 3) {
    const auto label = counts.subspan(i, 3);
    sums.each_in_range &= std::ranges::all_of(label, [&](auto count) { return count <= most; });
    if (!sums.each_in_range) return sums;
    sums.found += label[0];
    sums.said += label[0] + label[1];
    sums.there += label[0] + label[2];
  }
  return sums;
}

std::uint64_t most_units(const config::JobConfig& job, std::uint64_t declared) {
  const std::uint64_t per_example = units_per_example(job);
  return std::min(declared, kMostUnits / per_example) * per_example;
}

/// Noise may have carried them out of their bounds, below zero too.
std::vector<std::uint64_t> moved_into_bounds(std::span<const std::uint64_t> noisy,
                                             std::uint64_t most) {
  std::vector<std::uint64_t> out(noisy.begin(), noisy.end());
  const auto move = [](std::uint64_t& count, std::uint64_t limit) {
    count = static_cast<std::int64_t>(count) < 0 ? 0 : std::min(count, limit);
  };
  move(out[kUnits], most);
  for (std::size_t i = kCorrect; i < out.size(); ++i)
    move(out[i], i == kLoss ? out[kUnits] * kMostLoss * 1000 : out[kUnits]);
  return out;
}

double rounded(double figure) {
  return std::round(figure * 1e4) / 1e4;
}

void round_score(EntityScore& score) {
  score.precision = rounded(score.precision);
  score.recall = rounded(score.recall);
  score.f1 = rounded(score.f1);
}

Evaluation for_everybody(Evaluation e) {
  e.examples = 0;
  e.accuracy = rounded(e.accuracy);
  e.loss = rounded(e.loss);
  e.macro_f1 = rounded(e.macro_f1);
  if (e.perplexity > 0) e.perplexity = std::exp(e.loss);
  if (!e.entities) return e;
  for (auto& [label, score] : e.entities->labels)
    round_score(score);
  for (EntityScore* score : {&e.entities->micro, &e.entities->macro, &e.entities->weighted})
    round_score(*score);
  return e;
}

}  // namespace

std::uint64_t units_per_example(const config::JobConfig& job) {
  if (job.is_language_modeling()) return std::uint64_t{job.model.max_length} - 1;
  return job.is_token_classification() ? job.model.max_length : 1;
}

Status check_counters(const config::JobConfig& job, std::span<const std::uint64_t> counts,
                      std::uint64_t declared) {
  SOTTO_CHECK(counts.size() == kPerLabel + 3 * job.task.labels.size(),
              "metrics do not fit the job");
  const std::uint64_t units = counts[kUnits];
  if (units > most_units(job, declared))
    return Error{"more is counted than the declared sizes allow"};
  if (counts[kCorrect] > units) return Error{"more is right than is counted"};
  if (counts[kLoss] > units * kMostLoss * 1000)
    return Error{"the loss is larger than one of that many can be"};
  if (job.is_language_modeling()) return {};
  const LabelSums labels = add_up(counts, units);
  if (!labels.each_in_range) return Error{"a label is counted more often than there are examples"};
  if (job.is_token_classification()) {
    if (labels.said <= units && labels.there <= units) return {};
    return Error{"there are more entities than words"};
  }
  if (labels.found == counts[kCorrect] && labels.said == units && labels.there == units) return {};
  return Error{"the counts of the labels do not add up to those of the examples"};
}

Status keep_to_bounds(const config::JobConfig& job, std::vector<std::uint64_t>& counts,
                      std::uint64_t declared) {
  Status possible = check_counters(job, counts, declared);
  if (!possible.ok()) std::ranges::fill(counts, 0);
  return possible;
}

Result<Evaluation> read_counters(const config::JobConfig& job,
                                 std::span<const std::uint64_t> counts, std::uint64_t declared) {
  if (counts.empty()) return Error{"this attempt carried no counters"};
  std::vector<std::uint64_t> believed(counts.begin(), counts.end());
  if (job.evaluation.counter_noise_multiplier > 0)
    believed = moved_into_bounds(counts, most_units(job, declared));
  else if (Status possible = check_counters(job, counts, declared); !possible.ok())
    return Error{"void: " + possible.error().message};
  if (believed[kUnits] == 0) return Error{"no example was evaluated"};
  return for_everybody(summarise(job, believed));
}

}  // namespace sotto::run

#include "common/job/plan.h"

#include <cmath>

#include "common/job/counter_noise.h"

namespace sotto::run {

namespace {

constexpr std::size_t kFixedMetrics = 3;

EntityScore score(double found, double wrong, double missed) {
  EntityScore s{.support = static_cast<std::uint64_t>(found + missed)};
  if (found == 0) return s;
  s.precision = found / (found + wrong);
  s.recall = found / (found + missed);
  s.f1 = 2 * found / (2 * found + wrong + missed);
  return s;
}

/// Adds a share of `s` to an average.
void add(EntityScore& mean, const EntityScore& s, double share) {
  mean.precision += share * s.precision;
  mean.recall += share * s.recall;
  mean.f1 += share * s.f1;
  mean.support += s.support;
}

/// `sums` in the order of metric_names().
EntityReport entity_report(const std::vector<std::string>& labels,
                           const std::vector<std::uint64_t>& sums) {
  EntityReport report;
  double found = 0, wrong = 0, missed = 0;
  for (std::size_t l = 0; l < labels.size(); ++l) {
    const auto count = [&](std::size_t kind) {
      return static_cast<double>(sums[kFixedMetrics + 3 * l + kind]);
    };
    report.labels.emplace_back(labels[l], score(count(0), count(1), count(2)));
    found += count(0);
    wrong += count(1);
    missed += count(2);
  }
  report.micro = score(found, wrong, missed);
  const auto there = static_cast<double>(report.micro.support);
  for (const auto& [label, s] : report.labels) {
    add(report.macro, s, 1 / static_cast<double>(labels.size()));
    add(report.weighted, s, there > 0 ? static_cast<double>(s.support) / there : 0);
  }
  return report;
}

}  // namespace

std::vector<std::string> metric_names(const config::JobConfig& job) {
  if (job.is_language_modeling()) return {"tokens", "correct", "loss_milli"};
  std::vector<std::string> names = {job.is_token_classification() ? "words" : "examples", "correct",
                                    "loss_milli"};
  for (const std::string& label : job.task.labels) {
    for (const char* kind : {"tp:", "fp:", "fn:"})
      names.push_back(kind + label);
  }
  return names;
}

Evaluation summarise(const config::JobConfig& job, const std::vector<std::uint64_t>& sums) {
  SOTTO_CHECK(sums.size() == kFixedMetrics + 3 * job.task.labels.size(),
              "metrics do not fit the job");
  Evaluation e{.examples = sums[0]};
  if (e.examples == 0) return e;
  const auto n = static_cast<double>(e.examples);
  e.accuracy = static_cast<double>(sums[1]) / n;
  e.loss = static_cast<double>(sums[2]) / 1000 / n;
  if (job.is_language_modeling()) {
    e.perplexity = std::exp(e.loss);
    return e;
  }
  if (job.is_token_classification()) {
    e.entities = entity_report(job.task.labels, sums);
    e.macro_f1 = e.entities->macro.f1;
    return e;
  }
  for (std::size_t c = 0; c < job.task.labels.size(); ++c) {
    const auto tp = static_cast<double>(sums[kFixedMetrics + 3 * c]);
    const auto fp = static_cast<double>(sums[kFixedMetrics + 3 * c + 1]);
    const auto fn = static_cast<double>(sums[kFixedMetrics + 3 * c + 2]);
    if (tp > 0) e.macro_f1 += 2 * tp / (2 * tp + fp + fn);
  }
  e.macro_f1 /= static_cast<double>(job.task.labels.size());
  return e;
}

codec::EncodingSpec encoding_of(const config::JobConfig& job) {
  // Weight 1 for everybody: under DP the number of examples is private too, and without DP one rule
  // is enough.
  return {.quantization_bits = job.secure_aggregation.quantization_bits,
          .value_range = job.secure_aggregation.value_range,
          .max_weight = 1,
          .max_update_norm = job.secure_aggregation.max_update_norm,
          .metrics = metric_names(job),
          .metric_noise = metric_noise(job)};
}

bool is_closing_evaluation(const config::JobConfig& job, RoundNumber round) {
  return round.server_round() > job.rounds.num_server_rounds;
}

secagg::GraphRules graph_rules(const config::JobConfig& job) {
  return {.full_graph_max = job.secure_aggregation.full_graph_max,
          .dropout_percent = job.secure_aggregation.expected_dropout_percent};
}

std::optional<std::uint32_t> drawn_cohort_size(const config::JobConfig& job,
                                               std::size_t participants) {
  const config::SecureAggregationSection& s = job.secure_aggregation;
  if (s.cohort_size == 0 && participants <= s.full_graph_max) return std::nullopt;
  return s.cohort_size;
}

std::vector<secagg::CohortMember> signers(const config::Roster& roster) {
  std::vector<secagg::CohortMember> out;
  for (const config::RosterMember& m : roster.members) {
    if (m.role == 0) out.push_back({m.id, m.signing_key});
  }
  return out;
}

}  // namespace sotto::run

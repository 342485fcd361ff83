#include "common/run/plan.h"

#include <cmath>

namespace sotto::run {

namespace {

constexpr std::size_t kFixedMetrics = 3;

}  // namespace

std::vector<std::string> metric_names(const config::JobConfig& job) {
  if (job.is_language_modeling()) return {"tokens", "correct", "loss_milli"};
  std::vector<std::string> names = {"examples", "correct", "loss_milli"};
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
          .metrics = metric_names(job)};
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

#include "common/job/plan.h"

#include "common/job/counter_noise.h"

namespace sotto::job {

encoding::EncodingSpec encoding_of(const config::JobConfig& job) {
  // Every update has weight 1. With differential privacy the number of examples is private too, and
  // without it the same rule is used.
  return {.quantization_bits = job.secure_aggregation.quantization_bits,
          .value_range = job.secure_aggregation.value_range,
          .max_weight = 1,
          .max_update_norm = job.secure_aggregation.max_update_norm,
          .metrics = job.make_task()->counter_names(),
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

}  // namespace sotto::job

#include "common/job/participant_privacy.h"

#include <algorithm>

#include "common/encoding/rotation.h"
#include "common/job/plan.h"

namespace sotto::job {

namespace {

Error in_section(const Error& error) {
  return {"distributed_privacy: " + error.message};
}

secagg::RoundSize smallest_round(const config::JobConfig& job) {
  return {.n = smallest_cohort(job), .C = job.secure_aggregation.max_colluders};
}

}  // namespace

std::uint32_t smallest_cohort(const config::JobConfig& job) {
  const std::uint32_t drawn = job.secure_aggregation.cohort_size;
  const std::uint32_t available = job.rounds.min_available_participants;
  return drawn == 0 ? available : std::min(available, drawn);
}

Result<std::uint32_t> own_s_min(const config::JobConfig& job, const secagg::RoundSize& size) {
  if (job.distributed_privacy.enabled) return secagg::noisy_s_min(graph_rules(job), size);
  SOTTO_ASSIGN_OR_RETURN(const auto thresholds, secagg::complete_graph_thresholds(size.n, size.C));
  return thresholds.s_min;
}

std::uint32_t smallest_sum(const config::JobConfig& job) {
  const auto least = own_s_min(job, smallest_round(job));
  return least.ok() ? *least : 0;
}

Result<std::optional<encoding::NoiseTerms>> noise_terms(const config::JobConfig& job,
                                                        std::uint64_t parameters) {
  const config::DistributedPrivacySection& asked = job.distributed_privacy;
  if (!asked.enabled) return std::optional<encoding::NoiseTerms>{};
  if (parameters == 0) return Error{"distributed_privacy: the model has no parameters"};
  const secagg::RoundSize size = smallest_round(job);
  const auto least = secagg::noisy_s_min(graph_rules(job), size);
  if (!least.ok()) return in_section(least.error());
  auto plan = privacy::plan_noise({.mechanism = asked.mechanism,
                                   .clipping_norm = asked.clipping_norm,
                                   .noise_multiplier = asked.noise_multiplier,
                                   .epsilon = asked.target_epsilon,
                                   .delta = asked.target_delta,
                                   .dimension = encoding::rotated_length(parameters),
                                   .participants = size.n,
                                   .unknown_noises = *least - size.C,
                                   .rounds = job.rounds.num_server_rounds});
  if (!plan.ok()) return in_section(plan.error());
  return std::optional<encoding::NoiseTerms>({.mechanism = asked.mechanism,
                                              .values = parameters,
                                              .clipping_norm = asked.clipping_norm,
                                              .noise_multiplier = plan->noise_multiplier});
}

Result<privacy::NoisyRounds> noise_of_job(const config::JobConfig& job,
                                          const encoding::NoiseTerms& terms) {
  auto round =
      secagg::round_encoding(encoding_of(job), terms, graph_rules(job), smallest_round(job));
  if (!round.ok()) return in_section(round.error());
  privacy::NoisyRounds all = round->spec.noise->round;
  all.rounds = job.rounds.num_server_rounds;
  return all;
}

}  // namespace sotto::job

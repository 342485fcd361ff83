#include "coordinator/round_plan.h"

#include <algorithm>
#include <utility>

#include "common/run/plan.h"

namespace sotto::coordinator {

namespace {

constexpr std::size_t kUploadPhase = 3;  // of wire::Deadlines

wire::Deadlines deadlines_of(const config::RoundsSection& rounds) {
  wire::Deadlines out{};
  out.fill(std::uint64_t{rounds.phase_timeout_s} * 1000);
  out[kUploadPhase] = std::uint64_t{rounds.training_timeout_s} * 1000;
  return out;
}

}  // namespace

Result<RoundPlan> make_round_plan(const config::JobConfig& job, const config::Roster& roster,
                                  const RunId& run, RoundNumber round, std::vector<MemberId> cohort,
                                  const FlatParameters& model) {
  RoundPlan plan{.deadline_ms = deadlines_of(job.rounds),
                 .roster = run::signers(roster),
                 .cohort = std::move(cohort),
                 .encoding = run::encoding_of(job),
                 .model = encode_parameters(model)};
  std::vector<secagg::CohortMember> in;
  for (const secagg::CohortMember& m : plan.roster) {
    if (std::ranges::binary_search(plan.cohort, m.id)) in.push_back(m);
  }
  const secagg::Cohort members(std::move(in));
  const std::uint32_t n = members.size();
  const std::uint32_t colluders = job.secure_aggregation.max_colluders;
  auto thresholds = secagg::complete_graph_thresholds(n, colluders);
  if (!thresholds.ok()) return thresholds.error();
  plan.header = {.run = run,
                 .round = round,
                 .roster_hash = roster.hash(),
                 .cohort_hash = members.hash(),
                 .n = n,
                 .C = colluders,
                 .k = n - 1,
                 .t = thresholds->t,
                 .Q = thresholds->Q,
                 .s_min = thresholds->s_min,
                 .model_hash = model.hash(),
                 .config_hash = job.hash,
                 .lanes = run::lanes_of(job, model.values.size(), n, round)};
  return plan;
}

Result<RoundNumber> next_attempt(RoundNumber last_offered, std::uint64_t server_round) {
  if (last_offered.server_round() != server_round) return RoundNumber::of(server_round, 0);
  if (last_offered.attempt() == 0xffff) {
    return Error{"server round " + std::to_string(server_round) + " was tried 65,536 times"};
  }
  return RoundNumber::of(server_round, static_cast<std::uint16_t>(last_offered.attempt() + 1));
}

ServerOptimizerSpec optimizer_spec(const config::ServerOptimizerSection& section) {
  return {.type = section.type == "fedadam" ? ServerOptimizerSpec::Type::kFedAdam
                                            : ServerOptimizerSpec::Type::kFedAvg,
          .learning_rate = section.learning_rate,
          .beta1 = section.beta1,
          .beta2 = section.beta2,
          .tau = section.tau};
}

}  // namespace sotto::coordinator

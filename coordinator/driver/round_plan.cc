#include "coordinator/driver/round_plan.h"

#include <algorithm>
#include <utility>

#include "common/job/participant_privacy.h"
#include "common/job/plan.h"
#include "common/secagg/shared/noisy_round.h"

namespace sotto::coordinator {

namespace {

constexpr std::size_t kUploadPhase = 3;  // index into wire::Deadlines

wire::Deadlines deadlines_of(const config::RoundsSection& rounds) {
  wire::Deadlines out{};
  out.fill(std::uint64_t{rounds.phase_timeout_s} * 1000);
  out[kUploadPhase] = std::uint64_t{rounds.training_timeout_s} * 1000;
  return out;
}

}  // namespace

Result<RoundPlan> make_round_plan(const config::JobConfig& job, const config::Roster& roster,
                                  const RunId& run, RoundNumber round, const RoundMembers& who,
                                  const FlatParameters& model, EvaluationCounters counters) {
  const std::uint64_t values = model.values.size();
  SOTTO_ASSIGN_OR_RETURN(const auto noise, job::noise_terms(job, values));
  const auto* draw = std::get_if<secagg::CohortDraw>(&who);
  if (draw && round.attempt() >= secagg::kMaxDrawnAttempts)
    return Error{"server round " + std::to_string(round.server_round()) + " was tried " +
                 std::to_string(secagg::kMaxDrawnAttempts) +
                 " times, and no member joins another attempt"};
  RoundPlan plan{
      .deadline_ms = deadlines_of(job.rounds),
      .roster = job::signers(roster),
      .cohort = draw ? secagg::drawn_cohort(*draw, round) : std::get<std::vector<MemberId>>(who),
      .model = encode_without_copy(model)};
  // A round that continues after a restart may have begun under an earlier roster.
  for (MemberId member : plan.cohort)
    if (roster.find(member) == nullptr)
      return Error{"member " + std::to_string(raw(member)) + " is no longer in the roster"};
  if (draw) plan.shared_randomness = draw->shared_randomness;
  const auto n = static_cast<std::uint32_t>(plan.cohort.size());
  const std::uint32_t colluders =
      draw ? secagg::colluders_in_round(*draw, job.secure_aggregation.max_colluders)
           : job.secure_aggregation.max_colluders;
  const secagg::GraphRules rules =
      draw ? job::graph_rules(job) : secagg::GraphRules{.full_graph_max = n};
  SOTTO_ASSIGN_OR_RETURN(auto parameters, secagg::graph_parameters(n, colluders, rules));
  // The expected dropout is a setting of the job that holds also when the graph does not need it.
  SOTTO_ASSIGN_OR_RETURN(auto encoding,
                         secagg::round_encoding(job::encoding_of(job), noise, job::graph_rules(job),
                                                {.n = n, .C = colluders}));
  plan.encoding = counters == EvaluationCounters::kSummed
                      ? std::move(encoding.spec)
                      : encoding::without_metrics(std::move(encoding.spec));
  plan.header = {.run = run,
                 .round = round,
                 .roster_hash = roster.hash(),
                 .n = n,
                 .C = colluders,
                 .k = parameters.k,
                 .t = parameters.thresholds.t,
                 .q = parameters.q,
                 .Q = parameters.thresholds.Q,
                 .s_min = encoding.s_min,
                 .witnesses = parameters.thresholds.witnesses,
                 .graph = parameters.graph,
                 .model_hash = model.hash(),
                 .config_hash = job.hash,
                 .lanes = encoding::lane_specs(
                     plan.encoding, job::is_closing_evaluation(job, round) ? 0 : values, n)};
  plan.header.cohort_hash = cohort_of(plan).hash();
  return plan;
}

void raise_s_min(RoundPlan& plan, std::uint32_t least_sum) {
  plan.header.s_min = std::max(plan.header.s_min, least_sum);
}

std::uint32_t spare_members(const wire::RoundHeader& header) {
  const std::uint32_t spare = header.n - std::max(header.Q, header.s_min);
  if (header.graph == wire::Graph::kComplete) return spare;
  return std::min({spare, header.q, header.k - header.t}) / 2;
}

Result<RoundNumber> next_attempt(RoundNumber last_offered, std::uint64_t server_round) {
  if (last_offered.server_round() != server_round) return RoundNumber::of(server_round, 0);
  if (last_offered.attempt() == 0xffff) {
    return Error{"server round " + std::to_string(server_round) + " was tried 65,536 times"};
  }
  return RoundNumber::of(server_round, static_cast<std::uint16_t>(last_offered.attempt() + 1));
}

}  // namespace sotto::coordinator

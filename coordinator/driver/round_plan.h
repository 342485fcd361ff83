// Makes the plan of a round, with the header that every member signs, from a job and a cohort.
#pragma once

#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/model/flat_parameters.h"
#include "common/secagg/randomness/draw.h"
#include "coordinator/protocol/round.h"

namespace sotto::coordinator {

/// The cohort consists of members that the coordinator chose, ascending, or of a draw by the run's
/// shared randomness.
using RoundMembers = std::variant<std::vector<MemberId>, secagg::CohortDraw>;

/// Makes the plan of an attempt. An Error when the cohort is too small for the job's number of
/// colluders, when one of its members is not in the roster, or when a drawn round has used up its
/// attempts. The plan borrows the values of `model`.
Result<RoundPlan> make_round_plan(const config::JobConfig& job, const config::Roster& roster,
                                  const RunId& run, RoundNumber round, const RoundMembers& who,
                                  const FlatParameters& model, EvaluationCounters counters);

/// Raises the header's s_min to `least_sum`, if it is smaller. The noise that each member adds
/// stays the same, because it follows from n and C.
void raise_s_min(RoundPlan& plan, std::uint32_t least_sum);

/// Returns how many members of its cohort an attempt with this header can do without from the
/// start. On a ring this is half of what its rules permit, because others may drop out as well.
std::uint32_t spare_members(const wire::RoundHeader& header);

/// Returns the number after `last_offered` for server round `server_round`: its first attempt, or
/// the next one.
Result<RoundNumber> next_attempt(RoundNumber last_offered, std::uint64_t server_round);

}  // namespace sotto::coordinator

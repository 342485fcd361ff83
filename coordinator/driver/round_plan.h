// From a job and a cohort to the header that everybody signs.
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

/// Who takes part: the members that the coordinator chose, ascending, or what the run's genesis
/// draws.
using RoundMembers = std::variant<std::vector<MemberId>, secagg::CohortDraw>;

/// An Error when the cohort is too small for the job's number of colluders. The plan borrows the
/// values of `model`.
Result<RoundPlan> make_round_plan(const config::JobConfig& job, const config::Roster& roster,
                                  const RunId& run, RoundNumber round, const RoundMembers& who,
                                  const FlatParameters& model, EvaluationCounters counters);

/// The header asks for sums of so many members at the least. What each member adds as noise stays:
/// it follows from n and C.
void raise_s_min(RoundPlan& plan, std::uint32_t least_sum);

/// How many of its cohort an attempt with this header can do without from the start. On a ring half
/// of what its rules allow, because others may drop out beside them.
std::uint32_t spare_members(const wire::RoundHeader& header);

/// The number after `last_offered` for server round `server_round`: its first attempt, or the next
/// one.
Result<RoundNumber> next_attempt(RoundNumber last_offered, std::uint64_t server_round);

}  // namespace sotto::coordinator

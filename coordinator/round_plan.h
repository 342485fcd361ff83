// From a job and a cohort to the header that everybody signs.
#pragma once

#include <vector>

#include "common/base/ids.h"
#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/model/flat_parameters.h"
#include "coordinator/round.h"
#include "coordinator/server_optimizer.h"

namespace sotto::coordinator {

/// `cohort` ascends. An Error when it is too small for the job's number of colluders.
Result<RoundPlan> make_round_plan(const config::JobConfig& job, const config::Roster& roster,
                                  const RunId& run, RoundNumber round, std::vector<MemberId> cohort,
                                  const FlatParameters& model);

/// The number after `last_offered` for server round `server_round`: its first attempt, or the next
/// one.
Result<RoundNumber> next_attempt(RoundNumber last_offered, std::uint64_t server_round);

/// What the job says about the server optimizer.
ServerOptimizerSpec optimizer_spec(const config::ServerOptimizerSection& section);

}  // namespace sotto::coordinator

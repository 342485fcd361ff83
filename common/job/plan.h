// The protocol parameters that follow from a job. Coordinator and participants use the same
// functions, so that both sides expect the same lanes, counters and rounds.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/encoding/quantizer.h"
#include "common/secagg/shared/cohort.h"
#include "common/secagg/shared/graph.h"

namespace sotto::job {

/// Returns the encoding of an update and its counters without the shares of noise that a round
/// adds; secagg::round_encoding adds those.
encoding::EncodingSpec encoding_of(const config::JobConfig& job);

/// Returns whether `round` is the closing evaluation. Server rounds 1..num_server_rounds train; the
/// next one evaluates the final model and carries counters only.
bool is_closing_evaluation(const config::JobConfig& job, RoundNumber round);

/// Returns the size above which the graph is circulant, and the dropouts that it is designed for.
secagg::GraphRules graph_rules(const config::JobConfig& job);

/// Returns how many members are drawn for a round (0: all who made the shared randomness) if the
/// rounds of this job are drawn in a federation of so many participants. Returns nothing if they
/// are not, so that no shared randomness is needed.
std::optional<std::uint32_t> drawn_cohort_size(const config::JobConfig& job,
                                               std::size_t participants);

/// Returns the ids and signing keys of the roster's participants, ascending by id.
std::vector<secagg::CohortMember> signers(const config::Roster& roster);

}  // namespace sotto::job

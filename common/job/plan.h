// What a job means for the protocol: the same functions at the coordinator and at the participants,
// so that both sides expect the same lanes, counters and rounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/encoding/quantizer.h"
#include "common/secagg/shared/cohort.h"
#include "common/secagg/shared/graph.h"

namespace sotto::run {

/// Without the noise of a round, on the update or on the counters: secagg::round_encoding adds it.
codec::EncodingSpec encoding_of(const config::JobConfig& job);

/// Server rounds 1..num_server_rounds train; the one after evaluates the final model and carries
/// counters only.
bool is_closing_evaluation(const config::JobConfig& job, RoundNumber round);

/// When the graph is circulant, and how many dropouts it is made for.
secagg::GraphRules graph_rules(const config::JobConfig& job);

/// Members that a round is drawn of (0: of all who made the genesis), when the rounds of this job
/// are drawn in a federation of so many participants; else nothing, and no genesis is needed.
std::optional<std::uint32_t> drawn_cohort_size(const config::JobConfig& job,
                                               std::size_t participants);

/// Ids and signing keys of the roster's participants, ascending.
std::vector<secagg::CohortMember> signers(const config::Roster& roster);

}  // namespace sotto::run

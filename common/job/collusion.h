// How many members must work together before one more update can be seen: what a promise against C
// colluders is worth beyond C (docs/secure-aggregation.md, 2.4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/config/job.h"

namespace sotto::run {

/// The fewest members of a round on the complete graph that, together with the coordinator, can
/// open the update of another one. The least of: t, who hold enough shares of both of its secrets;
/// 2Q - n, who sign two certificates of which one leaves it out (where s_min lets it); s_min - 1,
/// who are everybody else in the sum. Never C or fewer. 0 when n and C make no round.
std::uint32_t fewest_that_open(std::uint32_t n, std::uint32_t C, std::uint32_t s_min);

/// The same over all rounds that a site which takes part in sums of `min_cohort` joins for this job
/// in a federation of so many participants: a malicious coordinator chooses the cohort. Nothing
/// where rounds are drawn or have a circulant graph, for then it is a matter of chance, or where
/// there is no round. The job
/// names its number of colluders.
std::optional<std::uint32_t> fewest_that_open(const config::JobConfig& job,
                                              std::uint32_t participants, std::uint32_t min_cohort);

/// "If the coordinator and 2 of the 9 other members worked together, they could see this site's
/// update; the job protects against 1." `promise` is "the job protects against" there.
std::string collusion_sentence(const config::JobConfig& job, std::uint32_t participants,
                               std::uint32_t min_cohort, const std::string& promise);

}  // namespace sotto::run

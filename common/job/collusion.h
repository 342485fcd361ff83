// These functions compute how many members must collude to see another member's update, which shows
// how far a guarantee against C colluders extends beyond C (docs/secure-aggregation.md, 2.4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/config/job.h"

namespace sotto::job {

/// Returns the smallest number of members of a round on the complete graph that, together with the
/// coordinator, can open the update of another one. It is the minimum of: t, who hold enough shares
/// of both of its secrets; 2Q - n, who can sign two certificates of which one leaves it out (if
/// s_min permits that); and s_min - 1, who are all others in the sum. It is never C or less.
/// Returns 0 when no round is possible with n and C.
std::uint32_t fewest_that_open(std::uint32_t n, std::uint32_t C, std::uint32_t s_min);

/// Returns the minimum over all rounds of this job that a site joins which requires sums of at
/// least `min_cohort`, in a federation of so many participants, because a malicious coordinator
/// chooses the cohort. Returns nothing when cohorts are drawn or the graph is circulant, because
/// the number then depends on chance, and when no round is possible. The job must set its number of
/// colluders.
std::optional<std::uint32_t> fewest_that_open(const config::JobConfig& job,
                                              std::uint32_t participants, std::uint32_t min_cohort);

/// Returns, for example, "If the coordinator and 2 of the 9 other members worked together, they
/// could see this site's update; the job protects against 1.", in which `promise` is "the job
/// protects against".
std::string collusion_sentence(const config::JobConfig& job, std::uint32_t participants,
                               std::uint32_t min_cohort, const std::string& promise);

}  // namespace sotto::job

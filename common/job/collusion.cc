#include "common/job/collusion.h"

#include <algorithm>

#include "common/job/participant_privacy.h"
#include "common/job/plan.h"
#include "common/secagg/shared/cohort.h"

namespace sotto::job {

std::uint32_t fewest_that_open(std::uint32_t n, std::uint32_t C, std::uint32_t s_min) {
  const auto thresholds = secagg::complete_graph_thresholds(n, C);
  if (!thresholds.ok()) return 0;
  const std::uint32_t least = std::max(s_min, thresholds->s_min);
  std::uint32_t fewest = std::min(thresholds->t, least - 1);
  // A certificate that leaves one member out has at most n - 1 survivors.
  if (least < n) fewest = std::min(fewest, 2 * thresholds->Q - n);
  return fewest;
}

std::optional<std::uint32_t> fewest_that_open(const config::JobConfig& job,
                                              std::uint32_t participants,
                                              std::uint32_t min_cohort) {
  if (drawn_cohort_size(job, participants)) return std::nullopt;
  const std::uint32_t C = job.secure_aggregation.max_colluders;  // NOLINT
  std::optional<std::uint32_t> fewest;
  for (std::uint32_t n = std::max({min_cohort, C + 2, 3U}); n <= participants; ++n) {
    const auto own = own_s_min(job, {.n = n, .C = C});
    if (!own.ok()) continue;
    const std::uint32_t found = fewest_that_open(n, C, std::max(*own, min_cohort));
    fewest = std::min(fewest.value_or(found), found);
  }
  return fewest;
}

std::string collusion_sentence(const config::JobConfig& job, std::uint32_t participants,
                               std::uint32_t min_cohort, const std::string& promise) {
  const std::uint32_t C = job.secure_aggregation.max_colluders;  // NOLINT
  const auto fewest = fewest_that_open(job, participants, min_cohort);
  const std::string who = (fewest ? std::to_string(*fewest) : "more than " + std::to_string(C)) +
                          " of the " + std::to_string(participants - 1) + " other members";
  return "If the coordinator and " + who + " colluded, they could see this site's update; " +
         promise + " " + std::to_string(C) +
         (C == 1 ? " colluding member." : " colluding members.");
}

}  // namespace sotto::job

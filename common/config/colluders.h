// These functions set what job.json and site.json leave to the size of the federation: the number
// of colluding members (C) and the fewest members in a sum. A number that a file does not set
// follows from the number of participants in the roster: the run's roster at the coordinator, the
// pinned one at a site, so that both sides compute the same.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/config/site.h"

namespace sotto::config {

/// Returns max(1, ceil(n/3) - 1), which is below a third for n above 3.
std::uint32_t default_colluders(std::uint32_t participants);

/// Returns max(3, C + 2).
std::uint32_t default_min_cohort(std::uint32_t colluders);

/// Sets secure_aggregation.max_colluders when the job does not set it, and updates the canonical
/// text and the hash, because an offered job contains the number. Fails, without a change, when the
/// job's other keys do not permit the number; the Error names the key and what to write.
Status complete(JobConfig& job, std::uint32_t participants);

/// Sets policy.max_colluders and policy.min_cohort in the same way.
Status complete(SitePolicy& policy, std::uint32_t participants);

}  // namespace sotto::config

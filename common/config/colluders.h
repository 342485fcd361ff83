// These functions set what job.json and site.json leave to the size of the federation: the number
// of colluding members (C) and the fewest members in a sum. Where a file says no number, it follows
// from the participants of the roster: the run's at the coordinator, the pinned one at a site, so
// both sides have the same.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/config/site.h"

namespace sotto::config {

/// max(1, ceil(n/3) - 1): fewer than a third.
std::uint32_t default_colluders(std::uint32_t participants);

/// max(3, C + 2).
std::uint32_t default_min_cohort(std::uint32_t colluders);

/// Sets secure_aggregation.max_colluders where the job does not say it, and with it the canonical
/// text and the hash: what is offered names a number. An Error, and no change, where the job's
/// other keys do not admit it; it names the key and what to write.
Status complete(JobConfig& job, std::uint32_t participants);

/// Likewise policy.max_colluders and policy.min_cohort.
Status complete(SitePolicy& policy, std::uint32_t participants);

}  // namespace sotto::config

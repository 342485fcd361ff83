// Bounds on the counters of an evaluation, which follow from the task and from the declared sizes
// of the evaluation splits. A site uses the functions for its own counters, the coordinator for the
// sum. They ensure that a sum is possible, not that it is true: docs/threat-model.md, "Poisoning".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"

namespace sotto::job {

/// With so many units no counter overflows 64 bits, nor does a sum over all labels of a job,
/// because tasks::Counter::most_steps() is at most kMostSteps.
inline constexpr std::uint64_t kMostUnits = std::uint64_t{1} << 48;
inline constexpr std::uint64_t kMostSteps = (std::uint64_t{1} << 15) - 1;

/// Fails unless `counts`, in the order of Task::counters(), can be those of at most `declared`
/// examples. The Error names the rule that is broken; it is public and contains no count.
Status check_counters(const config::JobConfig& job, std::span<const std::uint64_t> counts,
                      std::uint64_t declared);

/// Sets all `counts` to zero if check_counters() rejects them for the site's declared size. A site
/// calls this before it encodes them, so that no honest site voids a round and the decision to
/// continue does not depend on the counts. The Error is for the site's own log.
Status keep_to_bounds(const config::JobConfig& job, std::vector<std::uint64_t>& counts,
                      std::uint64_t declared);

/// Returns what may be shown of a round whose sums are `counts`: figures rounded to four decimals,
/// so that they do not reveal the counts of which they are fractions, and no number of examples.
/// The Error is the reason why the round has none: its attempt carried no counters, no example was
/// evaluated, or the counters cannot be those of `declared` examples, which makes all of them void.
/// If the job has noise on its counters, they are signed numbers and are moved into their bounds
/// instead.
Result<tasks::Evaluation> read_counters(const config::JobConfig& job,
                                        std::span<const std::uint64_t> counts,
                                        std::uint64_t declared);

}  // namespace sotto::job

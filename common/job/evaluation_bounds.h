// What the counters of an evaluation can be, from the task and from the sizes of evaluation splits
// that the sites declared: the same functions at a site, for its own, and at the coordinator, for
// the sum. They keep a sum possible, not true: docs/threat-model.md, "Poisoning".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"

namespace sotto::run {

/// No counter of so many units leaves 64 bits, nor does a sum over all labels of a job:
/// tasks::Counter::most_steps() is at most kMostSteps.
inline constexpr std::uint64_t kMostUnits = std::uint64_t{1} << 48;
inline constexpr std::uint64_t kMostSteps = (std::uint64_t{1} << 15) - 1;

/// OK when `counts`, in the order of Task::counters(), can be those of `declared` examples or
/// fewer. The Error names the rule that is broken and contains no count: it is public.
Status check_counters(const config::JobConfig& job, std::span<const std::uint64_t> counts,
                      std::uint64_t declared);

/// What a site does before it encodes `counts`: those that check_counters() refuses for its own
/// declared size become zeros, so that no honest site voids a round, and whether it goes on does
/// not depend on what was counted. The Error is for the site's own log.
Status keep_to_bounds(const config::JobConfig& job, std::vector<std::uint64_t>& counts,
                      std::uint64_t declared);

/// What may be shown of a round whose sums are `counts`: figures rounded to four decimals, so that
/// they do not give away the counts that they are fractions of, and no number of examples. An Error
/// says why the round has none: its attempt carried no counters, nothing was evaluated, or the
/// counters cannot be those of `declared` examples, and then all of them are void. Where the job
/// has noise on its counters, they are numbers with a sign and are moved into their bounds instead.
Result<tasks::Evaluation> read_counters(const config::JobConfig& job,
                                        std::span<const std::uint64_t> counts,
                                        std::uint64_t declared);

}  // namespace sotto::run

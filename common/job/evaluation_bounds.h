// What the counters of an evaluation can be, from the job and from the sizes of evaluation splits
// that the sites declared: the same functions at a site, for its own, and at the coordinator, for
// the sum. They keep a sum possible, not true: docs/threat-model.md, "Poisoning".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/config/evaluation_limits.h"
#include "common/config/job.h"
#include "common/job/plan.h"

namespace sotto::run {

using config::kMostLoss;

/// Examples, tokens or words that one example of an evaluation split counts at most: one for
/// classification, max_length - 1 predicted tokens for language modeling, max_length words for
/// token classification.
std::uint64_t units_per_example(const config::JobConfig& job);

/// OK when `counts`, in the order of metric_names(), can be those of `declared` examples or fewer.
/// The Error says which rule is broken and no count: it is for everybody.
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
Result<Evaluation> read_counters(const config::JobConfig& job,
                                 std::span<const std::uint64_t> counts, std::uint64_t declared);

}  // namespace sotto::run

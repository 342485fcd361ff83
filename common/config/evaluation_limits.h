// The limits of evaluation counters, at a site and in a sum (common/job/evaluation_bounds.h).
#pragma once

#include <cstdint>

namespace sotto::config {

/// In nats: what one example, token or word adds to the loss at most. A larger loss counts as this.
inline constexpr std::uint64_t kMostLoss = 32;

}  // namespace sotto::config

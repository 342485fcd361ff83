// Divides one Poisson draw into physical batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sotto::learning {

/// Returns every index of `draw` exactly once, in batches of at most `limit` >= 1, shortest texts
/// first, so that batches need little padding. A draw larger than `limit` is split and never
/// truncated, because the accounting holds only for the whole draw. `lengths` has a length for
/// every index that can be drawn.
std::vector<std::vector<std::uint64_t>> physical_batches(std::span<const std::uint64_t> draw,
                                                         std::span<const std::size_t> lengths,
                                                         std::size_t limit);

}  // namespace sotto::learning

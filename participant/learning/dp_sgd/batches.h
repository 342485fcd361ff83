// How one Poisson draw is cut into physical batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sotto::learning {

/// Every index of `draw` exactly once, in batches of at most `limit` >= 1; shortest texts first, so
/// that a batch pads little. A draw larger than `limit` is split, never cut: the accounting holds
/// for the whole draw only. `lengths` has a length for every index that can be drawn.
std::vector<std::vector<std::uint64_t>> physical_batches(std::span<const std::uint64_t> draw,
                                                         std::span<const std::size_t> lengths,
                                                         std::size_t limit);

}  // namespace sotto::learning

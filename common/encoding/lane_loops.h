// The loops over the update lane that take a participant's time, compiled for the registers of the
// processor. No branch depends on a value.
#pragma once

#include <cstdint>
#include <span>

namespace sotto::encoding {

/// The fixed-point code of a value x: with y = clamp(factor x, -limit, limit) + limit + 1 it is
/// floor(y), and 1 more when u < y - floor(y), where u is uniform in [0, 1). It is in [1, 2 limit +
/// 1] and unbiased. limit = 2^(q-1) - 1, q <= 24.
struct OffsetCode {
  double factor = 0;
  double limit = 0;
};

/// Sets words[i] to the code of values[i] with u = coins[i] / 2^32. All spans have the same length.
void round_to_codes(const OffsetCode& code, std::span<const float> values,
                    std::span<const std::uint32_t> coins, std::span<std::uint16_t> words);
void round_to_codes(const OffsetCode& code, std::span<const float> values,
                    std::span<const std::uint32_t> coins, std::span<std::uint32_t> words);
void round_to_codes(const OffsetCode& code, std::span<const float> values,
                    std::span<const std::uint32_t> coins, std::span<std::uint64_t> words);

/// Returns the sum of (weights[i] | 1) words[i], wrapping. Both spans have the same length.
std::uint16_t odd_weighted_sum(std::span<const std::uint16_t> weights,
                               std::span<const std::uint16_t> words);
std::uint32_t odd_weighted_sum(std::span<const std::uint32_t> weights,
                               std::span<const std::uint32_t> words);
std::uint64_t odd_weighted_sum(std::span<const std::uint64_t> weights,
                               std::span<const std::uint64_t> words);

}  // namespace sotto::encoding

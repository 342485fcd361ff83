// Cumulative tables of integer noise. They are computed at start-up with integer arithmetic only,
// so that they are the same on every machine (docs/privacy.md, "Exact noise").
#pragma once

#include <cstdint>
#include <vector>

#include "common/privacy/mechanisms/wide_integer.h"

namespace sotto::privacy {

/// MagnitudeTable is a table for sampling by inversion. For u uniform in [0, 2^128) the magnitude
/// is the number of thresholds that are at most u, and the sign is bit 0 of u. Thresholds are even
/// and ascending, so the two are independent. The total mass is 2^128; the mass of each magnitude
/// is a multiple of 2 and differs from the exact one by less than 4.
using MagnitudeTable = std::vector<Uint128>;

/// The unit of variances, 2^-16: the noise that is accounted for is exactly the noise that is
/// drawn.
inline constexpr std::uint64_t kVarianceUnit = std::uint64_t{1} << 16;

/// Returns the table for P(x) proportional to exp(-x^2 / (2 variance)), cut off where it is below
/// 2^-140 of its maximum. The variance is 1/4 to 2^9.
MagnitudeTable discrete_gaussian_table(std::uint64_t variance);

/// Returns the table for the difference of two Poisson draws of mean variance / 2 each, cut off
/// below about 2^-150. The variance is 1/4 to 2^22.
MagnitudeTable skellam_table(std::uint64_t variance);

}  // namespace sotto::privacy

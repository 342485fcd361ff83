// Cumulative tables of integer noise, made at start-up with integers alone, so that they are the
// same on every machine (docs/privacy.md, "Exact noise").
#pragma once

#include <cstdint>
#include <vector>

#include "common/privacy/mechanisms/wide_integer.h"

namespace sotto::privacy {

/// For inversion: u is uniform in [0, 2^128); the magnitude is the number of thresholds that are at
/// most u, the sign is bit 0 of u. Thresholds are even and ascend, so the two are independent. The
/// total mass is 2^128; each magnitude's is a multiple of 2, off by less than 4 from its share.
using MagnitudeTable = std::vector<Uint128>;

/// A variance is given in units of 2^-16: what is accounted is exactly what is drawn.
inline constexpr std::uint64_t kVarianceUnit = std::uint64_t{1} << 16;

/// P(x) proportional to exp(-x^2 / (2 variance)), cut off where it is below 2^-140 of the top.
/// Variance 1/4 to 2^9.
MagnitudeTable discrete_gaussian_table(std::uint64_t variance);

/// The difference of two Poisson draws of mean variance / 2 each, cut off below about 2^-150.
/// Variance 1/4 to 2^22.
MagnitudeTable skellam_table(std::uint64_t variance);

}  // namespace sotto::privacy

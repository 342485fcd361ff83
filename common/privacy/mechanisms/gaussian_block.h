// The vectorised part of the Gaussian noise: 1024 pairs of values at a time, in double precision,
// from the first 32 bits of each uniform. It decides a value only where the remaining bits and its
// own rounding errors cannot change the result; gaussian_exact.h computes the other values
// (docs/privacy.md, "Noise on a grid"). Only noise.cc and its tests use it.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/vector_targets.h"

namespace sotto::privacy {

/// NoiseGrid: released values are multiples of `spacing`, a power of two, so quotients by it are
/// exact in double.
struct NoiseGrid {
  double spacing = 1;
  double per_spacing = 1;  // 1 / spacing
  double deviation = 0;    // the standard deviation of the noise / spacing
};

/// Returns the grid for a standard deviation above 0 and below 1e30, which is between 64 and 128
/// spacings. No spacing is finer than the smallest float, 2^-149.
NoiseGrid noise_grid(double standard_deviation);

inline constexpr std::size_t kGaussianPairs = 1024;

/// Pair i uses radius word i and angle word kGaussianPairs + i, and makes the noise of the values i
/// and kGaussianPairs + i.
struct GaussianBlock {
  std::array<std::uint32_t, 2 * kGaussianPairs> words;
  std::array<float, 2 * kGaussianPairs> values;         // without noise
  std::array<float, 2 * kGaussianPairs> noisy;          // result; unspecified where undecided
  std::array<std::uint32_t, kGaussianPairs> undecided;  // result: 1 where a pair needs more bits
};

/// Fills `noisy` and `undecided`; returns true if any pair is undecided. The result for a value
/// that is not finite is not finite.
using GaussianLoop = bool (*)(GaussianBlock& block, const NoiseGrid& grid);

/// Returns the fastest loop for this processor.
GaussianLoop gaussian_loop();
/// Returns all loops that this processor can run, from the narrowest registers to the widest.
std::vector<GaussianLoop> gaussian_loops();

/// The position of a value on the grid: value / spacing = whole + offset with |offset| <= 1/2, all
/// exact. From 2^51 on the whole position is `whole`; a float has no fraction there.
struct GridPosition {
  double whole = 0;
  double offset = 0;
};

/// Adding and subtracting this constant rounds a double below 2^51 to the nearest integer.
inline constexpr double kRoundingShift = 0x1.8p52;

SOTTO_INLINE GridPosition grid_position(double value, const NoiseGrid& grid) {
  const double scaled = value * grid.per_spacing;
  const double nearest = (scaled + kRoundingShift) - kRoundingShift;
  const double whole = std::abs(scaled) < 0x1p51 ? nearest : scaled;
  return {.whole = whole, .offset = scaled - whole};
}

}  // namespace sotto::privacy

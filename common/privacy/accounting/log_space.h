// Sums of numbers that are represented by their logarithms, because the numbers would overflow.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace sotto::privacy {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kMachineEpsilon = std::numeric_limits<double>::epsilon();  // 2^-52

/// Returns log(exp(a) + exp(b)); -infinity is the logarithm of zero.
inline double log_add(double a, double b) {
  const auto [low, high] = std::minmax(a, b);
  return low == -kInfinity ? high : high + std::log1p(std::exp(low - high));
}

}  // namespace sotto::privacy

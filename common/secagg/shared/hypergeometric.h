// Tails of the hypergeometric distribution, with integer arithmetic only. Both sides of a round
// compute the parameters of its graph and refuse any difference, so the answers must be the same on
// every machine: no logarithm of a C library, no floating point, no contraction of a compiler.
#pragma once

#include <cstdint>

namespace sotto::secagg {

/// The largest population that is answered; the wire's limit for a cohort.
inline constexpr std::uint32_t kMaxPopulation = 16384;

/// `sample` out of `population`, of which `marked` are marked.
struct Hypergeometric {
  std::uint32_t population = 0;
  std::uint32_t marked = 0;
  std::uint32_t sample = 0;
};

/// Whether factor * P[X >= at_least] <= 2^-bits, for factor >= 1 and bits >= 16. X is the number of
/// marked ones in the sample. Rounding errs towards "no", by less than 2^-39 of the sum.
/// SOTTO_CHECKs that population <= kMaxPopulation, and marked and sample <= population.
[[nodiscard]] bool tail_is_below(const Hypergeometric& x, std::uint32_t at_least,
                                 std::uint64_t factor, std::uint32_t bits);

/// The least c with P[X > c] <= 2^-bits: how many marked ones to reckon with.
[[nodiscard]] std::uint32_t upper_quantile(const Hypergeometric& x, std::uint32_t bits);

}  // namespace sotto::secagg

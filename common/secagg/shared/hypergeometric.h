// Tails of the hypergeometric distribution, computed with integer arithmetic alone. Both sides of a
// round compute the parameters of its graph and refuse any difference, so the results must be the
// same on every machine: they depend on no logarithm of a C library, no floating point and no
// contraction by a compiler.
#pragma once

#include <cstdint>

namespace sotto::secagg {

/// The largest population that is supported; it is the wire's limit for a cohort.
inline constexpr std::uint32_t kMaxPopulation = 16384;

/// The distribution of a sample of size `sample` from `population` items of which `marked` are
/// marked.
struct Hypergeometric {
  std::uint32_t population = 0;
  std::uint32_t marked = 0;
  std::uint32_t sample = 0;
};

/// Returns whether factor * P[X >= at_least] <= 2^-bits, for factor >= 1 and bits >= 16. X is the
/// number of marked items in the sample. The rounding is conservative: it may turn a true result
/// into false, by less than 2^-39 of the sum. SOTTO_CHECKs that population <= kMaxPopulation, and
/// that marked and sample are at most the population.
[[nodiscard]] bool tail_is_below(const Hypergeometric& x, std::uint32_t at_least,
                                 std::uint64_t factor, std::uint32_t bits);

/// Returns the least c with P[X > c] <= 2^-bits: an upper bound for the marked items in the sample.
[[nodiscard]] std::uint32_t upper_quantile(const Hypergeometric& x, std::uint32_t bits);

}  // namespace sotto::secagg

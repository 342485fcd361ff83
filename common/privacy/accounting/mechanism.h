// One release of a mechanism, as the accountant by privacy loss sees it: a pair of distributions
// (P, Q), what is seen with the protected record and without it. Plain values.
#pragma once

#include <cstdint>
#include <variant>

#include "common/base/range.h"
#include "common/base/result.h"

namespace sotto::privacy {

/// The delta at which an epsilon can be asked for.
inline constexpr Range kDelta{.min = 0, .max = 1, .above_min = true, .below_max = true};

/// Poisson-sampled records, each with probability `rate`, Gaussian noise on their clipped sum. One
/// record is added or removed; with `examples` > 1 all of one person's records at once, each drawn
/// apart.
struct SampledGaussian {
  double rate = 1;              // (0, 1]
  double noise_multiplier = 0;  // standard deviation / clipping norm, > 0
  std::uint32_t examples = 1;   // 1 to 64
  bool operator==(const SampledGaussian&) const = default;
};

/// As above with one record replaced by another, which moves the sum by up to 2 clipping norms.
struct ReplacedExample {
  double rate = 1;
  double noise_multiplier = 0;
  bool operator==(const ReplacedExample&) const = default;
};

/// Poisson-sampled, then cut at random to `largest_batch` of `records`: what a loader with a limit
/// does. One record is blanked. Costs more, not less: in a full batch a record takes another's
/// place. (As published with table h of tests/vectors/dp; no job cuts a batch.)
struct TruncatedBatch {
  double rate = 1;
  double noise_multiplier = 0;
  std::uint32_t records = 0;        // at least 1
  std::uint32_t largest_batch = 0;  // at least 1
  bool operator==(const TruncatedBatch&) const = default;
};

struct SampledLaplace {
  double rate = 1;
  double scale = 0;  // over the L1 sensitivity
  bool operator==(const SampledLaplace&) const = default;
};

/// P(x) proportional to exp(-decay |x|) over the integers, without sampling.
struct DiscreteLaplace {
  double decay = 0;
  std::uint32_t sensitivity = 1;  // whole steps
  bool operator==(const DiscreteLaplace&) const = default;
};

/// P(x) proportional to exp(-x^2 / (2 sigma^2)) over the integers, without sampling.
struct DiscreteGaussian {
  double sigma = 0;
  std::uint32_t sensitivity = 1;
  bool operator==(const DiscreteGaussian&) const = default;
};

using Mechanism = std::variant<SampledGaussian, ReplacedExample, TruncatedBatch, SampledLaplace,
                               DiscreteLaplace, DiscreteGaussian>;

/// An Error where a parameter is out of range or no number can carry its privacy loss.
Status check(const Mechanism& mechanism);

}  // namespace sotto::privacy

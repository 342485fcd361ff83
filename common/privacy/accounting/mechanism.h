// The mechanisms that the PLD accountant supports. One release of a mechanism is a pair of
// distributions (P, Q): the output with the protected record and without it. The types are plain
// values.
#pragma once

#include <cstdint>
#include <variant>

#include "common/base/range.h"
#include "common/base/result.h"

namespace sotto::privacy {

/// The range of delta at which an epsilon can be requested.
inline constexpr Range kDelta{.min = 0, .max = 1, .above_min = true, .below_max = true};

/// SampledGaussian is Gaussian noise on the clipped sum of Poisson-sampled records, each drawn with
/// probability `rate`. Adjacency: one record is added or removed; with `examples` > 1, all records
/// of one person at once, each sampled independently.
struct SampledGaussian {
  double rate = 1;              // (0, 1]
  double noise_multiplier = 0;  // standard deviation / clipping norm, > 0
  std::uint32_t examples = 1;   // 1 to 64
  bool operator==(const SampledGaussian&) const = default;
};

/// ReplacedExample is the same mechanism with one record replaced by another, which changes the sum
/// by up to 2 clipping norms.
struct ReplacedExample {
  double rate = 1;
  double noise_multiplier = 0;
  bool operator==(const ReplacedExample&) const = default;
};

/// TruncatedBatch is the same mechanism with a Poisson-sampled batch that is cut at random to
/// `largest_batch` of `records`, as a data loader with a limit does. Adjacency: one record is
/// blanked. Truncation increases the cost, because in a full batch a record displaces another one.
/// (As published with table h of tests/vectors/dp; no job truncates a batch.)
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
  std::uint32_t sensitivity = 1;  // an integer number of steps
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

/// Returns an Error where a parameter is out of range or the privacy loss cannot be represented.
Status check(const Mechanism& mechanism);

}  // namespace sotto::privacy

// Integer noise for distributed differential privacy: exact distributions, sampled in constant time
// and with integer arithmetic only (docs/privacy.md, "Exact noise").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/crypto/secure_random.h"
#include "common/privacy/mechanisms/noise_table.h"

namespace sotto::privacy {

enum class NoiseMechanism : std::uint8_t { kDiscreteGaussian, kSkellam };

/// A bound that the accountant adds for each sample of a round. The total variation between a
/// sample and its mechanism's distribution is below 2^-110.
inline constexpr double kSamplerDistance = 0x1p-100;

/// A wide discrete Gaussian is a sum of narrow ones: the draws of each layer are multiplied by
/// `factor`.
struct GaussianLayer {
  std::int64_t factor = 1;
  std::uint64_t variance = 0;  // in units of 2^-16
};

/// Returns layers whose squared factors times variances add up to `variance` exactly.
std::vector<GaussianLayer> gaussian_layers(std::uint64_t variance);

/// DiscreteNoise holds the tables of one mechanism at one variance. It is immutable; any number of
/// threads may use it.
class DiscreteNoise {
 public:
  /// Returns an Error outside 1/4 .. 2^40 for the discrete Gaussian and 1/4 .. 2^22 for Skellam.
  /// `variance` is in units of 2^-16.
  static Status check(NoiseMechanism mechanism, std::uint64_t variance);
  /// Makes the tables. For the discrete Gaussian `variance` is its parameter sigma^2. Returns the
  /// errors of check().
  static Result<DiscreteNoise> create(NoiseMechanism mechanism, std::uint64_t variance);

  /// Adds an independent sample to each value. The instructions and memory accesses do not depend
  /// on the random bits. These come from `random` through a stream whose seed is wiped at the end.
  void add_to(std::span<std::int64_t> values, crypto::SecureRandom& random) const;

 private:
  /// A sample is the sum over the layers of factor * (a draw from the table).
  struct Layer {
    std::int64_t factor = 1;
    MagnitudeTable table;
  };

  DiscreteNoise() = default;
  std::vector<Layer> layers_;
};

}  // namespace sotto::privacy

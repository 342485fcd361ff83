// Integer noise for distributed differential privacy: exact distributions, constant time, integers
// from the random bits to the value (docs/privacy.md, "Exact noise").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/crypto/secure_random.h"
#include "common/privacy/mechanisms/noise_table.h"

namespace sotto::privacy {

enum class NoiseMechanism : std::uint8_t { kDiscreteGaussian, kSkellam };

/// Total variation between a sample and its mechanism's distribution is below 2^-110; accounting
/// adds this much for each sample of a round.
inline constexpr double kSamplerDistance = 0x1p-100;

/// A wide discrete Gaussian as a sum of narrow ones: each layer's draws count `factor` times.
struct GaussianLayer {
  std::int64_t factor = 1;
  std::uint64_t variance = 0;  // in units of 2^-16
};

/// The squares of the factors times the variances add up to `variance` exactly.
std::vector<GaussianLayer> gaussian_layers(std::uint64_t variance);

/// The tables of one mechanism at one variance. Immutable: any number of threads.
class DiscreteNoise {
 public:
  /// An Error outside 1/4 .. 2^40 for the discrete Gaussian, 1/4 .. 2^22 for Skellam; the variance
  /// is in units of 2^-16.
  static Status check(NoiseMechanism mechanism, std::uint64_t variance);
  /// `variance`: for the discrete Gaussian its parameter sigma^2. An Error as check() says.
  static Result<DiscreteNoise> create(NoiseMechanism mechanism, std::uint64_t variance);

  /// values[i] += a sample each, independent. What it does and touches does not depend on the
  /// random bits. They come from `random` through a stream whose seed is wiped at the end.
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

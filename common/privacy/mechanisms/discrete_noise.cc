#include "common/privacy/mechanisms/discrete_noise.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/base/vector_targets.h"
#include "common/crypto/secret.h"

namespace sotto::privacy {

namespace {

constexpr std::size_t kNoiseBlock = 512;  // samples of one layer at a time
constexpr std::uint64_t kSmallestVariance = kVarianceUnit / 4;
constexpr std::uint64_t kLargestGaussian = kVarianceUnit << 40;
constexpr std::uint64_t kLargestSkellam = kVarianceUnit << 22;

/// The random bits of a block and the values computed from them.
struct Block {
  std::array<std::uint64_t, kNoiseBlock> low;
  std::array<std::uint64_t, kNoiseBlock> high;
  std::array<std::int64_t, kNoiseBlock> magnitude;
};

/// Computes magnitude = number of thresholds <= (high, low) by comparing every threshold with every
/// sample. The loops have a constant length, so that the compiler vectorises them.
SOTTO_INLINE void count_thresholds(Block& block, const Uint128* thresholds, std::size_t count) {
  constexpr std::size_t kLanes = 8;
  for (std::size_t at = 0; at < kNoiseBlock; at += kLanes) {
    std::uint64_t low[kLanes];
    std::uint64_t high[kLanes];
    std::uint64_t passed[kLanes] = {};
    std::memcpy(low, block.low.data() + at, sizeof low);
    std::memcpy(high, block.high.data() + at, sizeof high);
    for (std::size_t t = 0; t < count; ++t) {
      const auto low_threshold = static_cast<std::uint64_t>(thresholds[t]);
      const auto high_threshold = static_cast<std::uint64_t>(thresholds[t] >> 64);
      for (std::size_t i = 0; i < kLanes; ++i)
        passed[i] += static_cast<std::uint64_t>(
            (high[i] > high_threshold) | ((high[i] == high_threshold) & (low[i] >= low_threshold)));
    }
    std::memcpy(block.magnitude.data() + at, passed, sizeof passed);
  }
}

void count_baseline(Block& block, const Uint128* thresholds, std::size_t count) {
  count_thresholds(block, thresholds, count);
}

SOTTO_AVX2 void count_avx2(Block& block, const Uint128* thresholds, std::size_t count) {
  count_thresholds(block, thresholds, count);
}

SOTTO_AVX512 void count_avx512(Block& block, const Uint128* thresholds, std::size_t count) {
  count_thresholds(block, thresholds, count);
}

}  // namespace

Status DiscreteNoise::check(NoiseMechanism mechanism, std::uint64_t variance) {
  const bool gaussian = mechanism == NoiseMechanism::kDiscreteGaussian;
  if (variance < kSmallestVariance || variance > (gaussian ? kLargestGaussian : kLargestSkellam))
    return Error{gaussian ? "the variance of the discrete Gaussian is outside 1/4 .. 2^40"
                          : "the variance of Skellam noise is outside 1/4 .. 2^22; for more noise "
                            "the discrete Gaussian is the mechanism to take"};
  return {};
}

/// Decomposes a discrete Gaussian that is wider than a table. X1 + k X2 of two independent narrower
/// ones has variance v1 + k^2 v2, and its probabilities differ from those of the discrete Gaussian
/// of this variance by factors 1 +- 2 e, e = 2 exp(-2 pi^2 t), 1/t = k^2 / v1 + 1 / v2: completing
/// the square leaves the sum of a Gaussian over the integers, which hardly depends on the position
/// of its centre (Poisson summation). With v1 >= 5 k^2 and v2 >= 40, e < 2^-125.
std::vector<GaussianLayer> gaussian_layers(std::uint64_t variance) {
  constexpr std::uint64_t kDirect = 256 * kVarianceUnit;
  constexpr std::uint64_t kLargestFactor = 7;
  std::vector<GaussianLayer> out;
  std::int64_t factor = 1;
  while (variance > kDirect) {
    std::uint64_t k = kLargestFactor;
    while (k * k * 45 * kVarianceUnit > variance)
      --k;
    const std::uint64_t rest = (variance - 5 * k * k * kVarianceUnit) / (k * k);
    out.push_back({.factor = factor, .variance = variance - k * k * rest});
    factor *= static_cast<std::int64_t>(k);
    variance = rest;
  }
  out.push_back({.factor = factor, .variance = variance});
  return out;
}

Result<DiscreteNoise> DiscreteNoise::create(NoiseMechanism mechanism, std::uint64_t variance) {
  SOTTO_TRY(check(mechanism, variance));
  DiscreteNoise out;
  if (mechanism == NoiseMechanism::kSkellam) {
    out.layers_.push_back({.table = skellam_table(variance)});
    return out;
  }
  for (const GaussianLayer& layer : gaussian_layers(variance))
    out.layers_.push_back(
        {.factor = layer.factor, .table = discrete_gaussian_table(layer.variance)});
  return out;
}

void DiscreteNoise::add_to(std::span<std::int64_t> values, crypto::SecureRandom& random) const {
  static const auto count = widest(count_baseline, count_avx2, count_avx512);
  crypto::StreamRandom stream(random);
  Block block;
  for (std::size_t at = 0; at < values.size(); at += kNoiseBlock) {
    const std::span part = values.subspan(at, std::min(kNoiseBlock, values.size() - at));
    for (const Layer& layer : layers_) {
      stream.fill(raw_bytes(block.low));
      stream.fill(raw_bytes(block.high));
      count(block, layer.table.data(), layer.table.size());
      for (std::size_t i = 0; i < part.size(); ++i) {
        const std::int64_t sign = -static_cast<std::int64_t>(block.low[i] & 1U);
        part[i] += layer.factor * ((block.magnitude[i] ^ sign) - sign);
      }
    }
  }
  crypto::wipe(raw_bytes(block));
}

}  // namespace sotto::privacy

#include "common/privacy/mechanisms/noise.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/crypto/mask_stream.h"
#include "common/crypto/secret.h"
#include "common/privacy/mechanisms/gaussian_block.h"
#include "common/privacy/mechanisms/gaussian_exact.h"

namespace sotto::privacy {

namespace {

// The stream of one key (AES-256-CTR) has two lanes. Lane 0 has the first 32 bits of all uniforms,
// one block of pairs after another; lane 1 has two cipher blocks for each pair, with the further
// bits of its radius and of its angle.
constexpr std::uint32_t kFirstBits = 0;
constexpr std::uint32_t kFurtherBits = 1;
constexpr std::size_t kCipherBlock = 16;
constexpr std::size_t kBlockValues = 2 * kGaussianPairs;
/// One key serves for 2^28 blocks of a lane, which is 2^27 pairs.
constexpr std::size_t kValuesPerKey = std::size_t{1} << 28;

Uint128 with_further_bits(std::uint32_t first, std::span<const std::uint8_t, kCipherBlock> bytes) {
  ByteReader reader(bytes);
  const std::uint64_t high = reader.u64();
  const std::uint64_t low = reader.u64();
  return Uint128{first} << 96 | (Uint128{high} << 64 | low) >> 32;
}

/// KeyedNoise is the noise of up to 2^28 values under one key.
class KeyedNoise {
 public:
  KeyedNoise(const NoiseGrid& grid, crypto::StreamRandom& random)
      : grid_(grid), key_(crypto::Secret32::random(random)) {}

  ~KeyedNoise() { crypto::wipe(raw_bytes(block_)); }

  KeyedNoise(const KeyedNoise&) = delete;
  KeyedNoise& operator=(const KeyedNoise&) = delete;

  void add_to(std::span<float> values) {
    for (std::size_t at = 0; at < values.size(); at += kBlockValues)
      add_block(values.subspan(at, std::min(kBlockValues, values.size() - at)), at / kBlockValues);
  }

 private:
  void add_block(std::span<float> values, std::uint64_t index) {
    constexpr std::uint64_t kBlocks = sizeof(block_.words) / kCipherBlock;
    crypto::keystream(key_, kFirstBits, index * kBlocks, raw_bytes(block_.words));
    std::ranges::copy(values, block_.values.begin());
    std::fill(block_.values.begin() + static_cast<std::ptrdiff_t>(values.size()),
              block_.values.end(), 0.0F);
    if (loop_(block_, grid_))
      for (std::size_t i = 0; i < kGaussianPairs; ++i)
        if (block_.undecided[i] != 0) decide(i, index * kGaussianPairs + i);
    std::copy_n(block_.noisy.begin(), values.size(), values.begin());
  }

  /// Decides pair i of the block, which is the `index`th pair under this key, from all of its bits.
  void decide(std::size_t i, std::uint64_t index) {
    std::array<std::uint8_t, 2 * kCipherBlock> further;
    crypto::keystream(key_, kFurtherBits, 2 * index, further);
    const std::span<const std::uint8_t, 2 * kCipherBlock> bytes(further);
    const NormalPair normal = exact_normal_pair(
        {.radius = with_further_bits(block_.words[i], bytes.first<kCipherBlock>()),
         .angle = with_further_bits(block_.words[kGaussianPairs + i], bytes.last<kCipherBlock>())});
    block_.noisy[i] = rounded(block_.values[i], normal.first);
    block_.noisy[kGaussianPairs + i] = rounded(block_.values[kGaussianPairs + i], normal.second);
  }

  [[nodiscard]] float rounded(float value, Binary128 normal) const {
    return static_cast<float>(round_to_grid(double{value}, normal, grid_));
  }

  NoiseGrid grid_;
  GaussianLoop loop_ = gaussian_loop();
  crypto::Secret32 key_;
  GaussianBlock block_;
};

void check_deviation(double standard_deviation) {
  SOTTO_CHECK(standard_deviation >= 0 && standard_deviation < 1e30,
              "a standard deviation is not negative and below 1e30");
}

}  // namespace

double with_gaussian_noise(double value, double standard_deviation, crypto::StreamRandom& random) {
  check_deviation(standard_deviation);
  if (standard_deviation == 0) return value;
  std::array<std::uint8_t, 2 * kCipherBlock> bits;
  random.fill(bits);
  ByteReader reader(bits);
  const auto next = [&reader] {
    const std::uint64_t high = reader.u64();
    return Uint128{high} << 64 | reader.u64();
  };
  const Uint128 radius = next();
  const NormalPair normal = exact_normal_pair({.radius = radius, .angle = next()});
  crypto::wipe(bits);
  return round_to_grid(value, normal.first, noise_grid(standard_deviation));
}

void add_gaussian_noise(std::span<float> out, double standard_deviation,
                        crypto::StreamRandom& random) {
  check_deviation(standard_deviation);
  if (standard_deviation == 0) return;
  const NoiseGrid grid = noise_grid(standard_deviation);
  for (std::size_t at = 0; at < out.size(); at += kValuesPerKey)
    KeyedNoise(grid, random).add_to(out.subspan(at, std::min(kValuesPerKey, out.size() - at)));
}

std::vector<std::uint64_t> poisson_sample(std::uint64_t population, double rate,
                                          crypto::StreamRandom& random) {
  SOTTO_CHECK(rate >= 0 && rate <= 1, "a sampling rate is in [0, 1]");
  std::vector<std::uint64_t> out;
  if (rate == 0) return out;
  out.reserve(static_cast<std::size_t>(1.1 * rate * static_cast<double>(population)) + 16);
  // The gap before the next chosen index is geometric: floor(log(u) / log(1 - rate)), 0 < u <= 1.
  const double log_skip = std::log1p(-rate);  // -infinity at rate 1: every gap is 0
  std::uint64_t at = 0;
  while (at < population) {
    const double gap = std::floor(std::log1p(-random.unit()) / log_skip);
    if (!(gap < static_cast<double>(population - at))) break;
    at += static_cast<std::uint64_t>(gap);
    out.push_back(at++);
  }
  return out;
}

}  // namespace sotto::privacy

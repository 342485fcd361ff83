// Plain Box and Muller in float32, value + noise in float: what the noise on a grid is compared
// with in speed. It must not be released: floats' gaps, 2^32 radii and an atom at 0 show in its
// sums.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>

#include "common/base/vector_targets.h"
#include "common/crypto/secure_random.h"

namespace sotto::bench::float_box_muller {

inline constexpr std::size_t kPairs = 1024;  // a block: 8 KiB of stream, 2048 samples

struct Pair {
  float first;
  float second;
};

/// -2 log(u) for u = word / 2^32, 0 < u < 1, relative error below 3e-7. log(1 + f) is the
/// atanh series in s = f / (2 + f), |s| <= 0.172.
SOTTO_INLINE float minus_two_log(float word) {
  const auto bits = std::bit_cast<std::uint32_t>(word);
  // mantissa in [sqrt(1/2), sqrt(2)), so that f is small on both sides of 1
  const std::uint32_t shifted = bits - 0x3f3504f3U;
  const auto exponent = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
  const float f = std::bit_cast<float>((shifted & 0x007fffffU) + 0x3f3504f3U) - 1.0F;
  const float s = f / (2.0F + f);
  const float s2 = s * s;
  const float series =
      2.0F * s * (1.0F + s2 * (1.0F / 3 + s2 * (1.0F / 5 + s2 * (1.0F / 7 + s2 * (1.0F / 9)))));
  return -2.0F * (series + (exponent - 32.0F) * std::numbers::ln2_v<float>);
}

/// cos and sin of 2 pi turn / 2^32: the nearest quarter turn by its two bits, the rest by
/// polynomials on [-pi/4, pi/4].
SOTTO_INLINE Pair cos_sin(std::uint32_t turn) {
  const std::uint32_t quarter = (turn + 0x20000000U) >> 30;
  const auto rest = static_cast<std::int32_t>(turn - (quarter << 30));
  const float x = static_cast<float>(rest) * (std::numbers::pi_v<float> * 0x1p-31F);
  const float x2 = x * x;
  const float sine =
      x *
      (1.0F + x2 * (-1.0F / 6 + x2 * (1.0F / 120 + x2 * (-1.0F / 5040 + x2 * (1.0F / 362880)))));
  const float cosine =
      1.0F + x2 * (-0.5F + x2 * (1.0F / 24 + x2 * (-1.0F / 720 + x2 * (1.0F / 40320))));
  const bool swap = (quarter & 1U) != 0;
  const float c = swap ? sine : cosine;
  const float s = swap ? cosine : sine;
  const std::uint32_t c_sign = ((quarter + 1U) & 2U) << 30;  // quarters 1 and 2
  const std::uint32_t s_sign = (quarter & 2U) << 30;         // quarters 2 and 3
  return {std::bit_cast<float>(std::bit_cast<std::uint32_t>(c) ^ c_sign),
          std::bit_cast<float>(std::bit_cast<std::uint32_t>(s) ^ s_sign)};
}

/// The uniform of the radius, in units of 2^-32. In the lowest 2^-16 of its range, where the
/// tail of the Gaussian is made, 32 more bits refine it: the tail ends beyond 9.4 standard
/// deviations.
inline float radius_word(std::uint32_t word, crypto::StreamRandom& random) {
  if (word >= 0x10000U) return static_cast<float>(word);
  const double fine = static_cast<double>(random.next_u64() >> 32) + 0.5;
  return static_cast<float>(static_cast<double>(word) + fine * 0x1p-32);
}

/// Box and Muller: kPairs radius words and as many turns to 2 * kPairs samples.
SOTTO_INLINE void pairs_loop(const float* __restrict radius, const std::uint32_t* __restrict turns,
                             float* __restrict out) {
  for (std::size_t i = 0; i < kPairs; ++i) {
    // Words near 2^32 round up to it, where the radius is 0; never below.
    const float r = std::sqrt(std::max(minus_two_log(radius[i]), 0.0F));
    const Pair direction = cos_sin(turns[i]);
    out[i] = r * direction.first;
    out[kPairs + i] = r * direction.second;
  }
}

inline void pairs_baseline(const float* radius, const std::uint32_t* turns, float* out) {
  pairs_loop(radius, turns, out);
}

SOTTO_AVX2 inline void pairs_avx2(const float* radius, const std::uint32_t* turns, float* out) {
  pairs_loop(radius, turns, out);
}

SOTTO_AVX512 inline void pairs_avx512(const float* radius, const std::uint32_t* turns, float* out) {
  pairs_loop(radius, turns, out);
}

/// 2 * kPairs independent N(0, 1).
inline void fill_normal(std::span<float, 2 * kPairs> out, crypto::StreamRandom& random) {
  static const auto to_pairs = widest(pairs_baseline, pairs_avx2, pairs_avx512);
  std::array<std::uint32_t, 2 * kPairs> words;
  random.fill({reinterpret_cast<std::uint8_t*>(words.data()), sizeof(words)});
  std::array<float, kPairs> radius;
  for (std::size_t i = 0; i < kPairs; ++i)
    radius[i] = radius_word(words[i], random);
  to_pairs(radius.data(), words.data() + kPairs, out.data());
}

inline void add_noise(std::span<float> out, float standard_deviation,
                      crypto::StreamRandom& random) {
  std::array<float, 2 * kPairs> normal;
  for (std::size_t at = 0; at < out.size(); at += normal.size()) {
    fill_normal(normal, random);
    const std::size_t count = std::min(normal.size(), out.size() - at);
    for (std::size_t i = 0; i < count; ++i)
      out[at + i] += standard_deviation * normal[i];
  }
}

}  // namespace sotto::bench::float_box_muller

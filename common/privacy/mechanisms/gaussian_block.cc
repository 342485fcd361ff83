#include "common/privacy/mechanisms/gaussian_block.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "common/base/check.h"
#include "common/base/vector_targets.h"

namespace sotto::privacy {

namespace {

/// Radius words outside this range are undecided: near 0 and 1 the radius changes too much within
/// one word. Inside the range the radius is below 5.27.
constexpr double kLeastWord = 0x1p12;
constexpr double kGreatestWord = 0x1p32 - 0x1p8;

/// A bound on the error of scale * radius * cos in grid spacings, for scale < 128 and radius <
/// 5.27, without the radius word's unknown bits: 2^-20.9 from the angle word's unknown bits (half a
/// word of the angle is 2^-30.3) and 2^-22 from polynomials and rounding (relative error below
/// 2^-31.5).
constexpr double kAngleError = 0x1p-19;

/// Half a word of the radius changes it by at most 1/2 / (word * radius) * (1 + 2^-9): the
/// derivative of sqrt(-2 log u) is -1 / (u radius).
constexpr double kHalfWord = 0.5 * (1 + 0x1p-6);

struct Direction {
  double cosine;
  double sine;
};

/// Returns word + 1/2, exactly. It converts by way of a signed integer, which every processor
/// supports.
SOTTO_INLINE double middle_of(std::uint32_t word) {
  return static_cast<double>(static_cast<std::int32_t>(word ^ 0x80000000U)) + (0x1p31 + 0.5);
}

/// Returns -2 log(word / 2^32) for 0 < word < 2^32, with relative error below 2^-33: log m is the
/// series of 2 atanh(s), s = (m - 1) / (m + 1), for m in [sqrt(1/2), sqrt(2)), so that |s| <=
/// 0.1716. The first omitted term, s^14 / 15, is below 2^-39.
SOTTO_INLINE double minus_two_log(double word) {
  constexpr std::uint64_t kRootHalf = 0x3fe6a09e667f3bcdU;
  constexpr std::uint64_t kMantissa = 0x000fffffffffffffU;
  constexpr std::uint64_t kTwo52 = 0x4330000000000000U;
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(word) - kRootHalf;
  const double exponent = std::bit_cast<double>((shifted >> 52) | kTwo52) - 0x1p52;
  const double f = std::bit_cast<double>((shifted & kMantissa) + kRootHalf) - 1;
  const double s = f / (2 + f);
  const double s2 = s * s;
  const double series =
      1 +
      s2 * (1.0 / 3 + s2 * (1.0 / 5 + s2 * (1.0 / 7 + s2 * (1.0 / 9 + s2 * (1.0 / 11 + s2 / 13)))));
  return 2 * ((32 - exponent) * std::numbers::ln2 - 2 * s * series);
}

/// Returns cosine and sine of the angle 2 pi (word + 1/2) / 2^32: the nearest quarter turn by its
/// two bits, the rest by Taylor series on [-pi/4, pi/4], whose first omitted terms are below 2^-36.
SOTTO_INLINE Direction direction_of(std::uint32_t word) {
  // A signed turn differs from the unsigned one by a whole turn.
  const double turn = static_cast<double>(static_cast<std::int32_t>(word)) + 0.5;
  const double shifted = turn * 0x1p-30 + kRoundingShift;
  const auto quarter = std::bit_cast<std::uint64_t>(shifted);  // in the lowest two bits
  const double x = (turn - (shifted - kRoundingShift) * 0x1p30) * (std::numbers::pi * 0x1p-31);
  const double x2 = x * x;
  const double sine =
      x *
      (1 + x2 * (-1.0 / 6 + x2 * (1.0 / 120 + x2 * (-1.0 / 5040 +
                                                    x2 * (1.0 / 362880 - x2 * (1.0 / 39916800))))));
  const double cosine =
      1 + x2 * (-1.0 / 2 +
                x2 * (1.0 / 24 +
                      x2 * (-1.0 / 720 +
                            x2 * (1.0 / 40320 + x2 * (-1.0 / 3628800 + x2 * (1.0 / 479001600))))));
  const auto sine_bits = std::bit_cast<std::uint64_t>(sine);
  const auto cosine_bits = std::bit_cast<std::uint64_t>(cosine);
  const std::uint64_t swapped = (sine_bits ^ cosine_bits) & (0 - (quarter & 1U));
  const std::uint64_t cosine_sign = ((quarter + 1) & 2U) << 62;  // quarters 1 and 2
  const std::uint64_t sine_sign = (quarter & 2U) << 62;          // quarters 2 and 3
  return {std::bit_cast<double>(cosine_bits ^ swapped ^ cosine_sign),
          std::bit_cast<double>(sine_bits ^ swapped ^ sine_sign)};
}

/// A value with its noise, and the distance in spacings of the sum from the nearest point at which
/// it would be rounded differently.
struct Rounded {
  float value;
  double distance;
};

SOTTO_INLINE Rounded round_sum(float value, double noise, const NoiseGrid& grid) {
  const GridPosition position = grid_position(value, grid);
  const double sum = position.offset + noise;
  const double nearest = (sum + kRoundingShift) - kRoundingShift;
  return {static_cast<float>((position.whole + nearest) * grid.spacing),
          0.5 - std::abs(sum - nearest)};
}

SOTTO_INLINE bool gaussian_block(const std::uint32_t* __restrict words,
                                 const float* __restrict values, float* __restrict noisy,
                                 std::uint32_t* __restrict undecided, NoiseGrid grid) {
  const double half_word = kHalfWord * grid.deviation;
  std::uint32_t any = 0;
  for (std::size_t i = 0; i < kGaussianPairs; ++i) {
    const double word = middle_of(words[i]);
    const double radius = std::sqrt(std::max(minus_two_log(word), 0.0));
    const Direction direction = direction_of(words[kGaussianPairs + i]);
    const double length = grid.deviation * radius;
    const Rounded first = round_sum(values[i], length * direction.cosine, grid);
    const Rounded second = round_sum(values[kGaussianPairs + i], length * direction.sine, grid);
    noisy[i] = first.value;
    noisy[kGaussianPairs + i] = second.value;
    const double margin = std::min(first.distance, second.distance) - kAngleError;
    const bool open =
        (margin * (word * radius) < half_word) | (word < kLeastWord) | (word > kGreatestWord);
    undecided[i] = static_cast<std::uint32_t>(open);
    any |= static_cast<std::uint32_t>(open);
  }
  return any != 0;
}

bool block_baseline(GaussianBlock& b, const NoiseGrid& grid) {
  return gaussian_block(b.words.data(), b.values.data(), b.noisy.data(), b.undecided.data(), grid);
}

SOTTO_AVX2 bool block_avx2(GaussianBlock& b, const NoiseGrid& grid) {
  return gaussian_block(b.words.data(), b.values.data(), b.noisy.data(), b.undecided.data(), grid);
}

SOTTO_AVX512 bool block_avx512(GaussianBlock& b, const NoiseGrid& grid) {
  return gaussian_block(b.words.data(), b.values.data(), b.noisy.data(), b.undecided.data(), grid);
}

}  // namespace

NoiseGrid noise_grid(double standard_deviation) {
  SOTTO_CHECK(standard_deviation > 0 && standard_deviation < 1e30,
              "a grid needs a standard deviation above 0 and below 1e30");
  constexpr int kSmallestFloat = -149;
  const int exponent = std::max(std::ilogb(standard_deviation) - 6, kSmallestFloat);
  return {.spacing = std::ldexp(1.0, exponent),
          .per_spacing = std::ldexp(1.0, -exponent),
          .deviation = std::ldexp(standard_deviation, -exponent)};
}

GaussianLoop gaussian_loop() {
  static const GaussianLoop chosen = gaussian_loops().back();
  return chosen;
}

std::vector<GaussianLoop> gaussian_loops() {
  std::vector<GaussianLoop> out{block_baseline};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) out.push_back(block_avx2);
#endif
  if (const GaussianLoop best = widest(block_baseline, block_avx2, block_avx512);
      best != out.back())
    out.push_back(best);
  return out;
}

}  // namespace sotto::privacy

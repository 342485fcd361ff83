// Three distinguishers that told from one release of float32 noise whether an example was there,
// with more certainty than the Gaussian mechanism allows: gaps between floats, a grid of Box and
// Muller's radii, and an atom at 0. Each looks at noise alone (world 0) and at the same noise on
// top of an example's gradient, the canary (world 1).
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "common/privacy/mechanisms/noise.h"

namespace sotto::privacy {
namespace {

/// 5 standard deviations of the difference of two counts out of `tries` each, at the same rate.
double five_deviations(double first, double second, double tries) {
  const double rate = (first + second) / (2 * tries);
  return 5 * std::sqrt(2 * tries * rate * (1 - rate)) + 1;
}

/// Norm 0.995 over 4,096 coordinates in which no other example has a gradient.
std::vector<float> thin_canary() {
  std::vector<float> out(4096);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>((i % 2 == 1 ? 1 : -1) *
                                (0.01555 + 5e-5 * std::sin(static_cast<double>(i))));
  return out;
}

/// Whether all small values are multiples of the last bit of a float of the canary's size.
bool is_in_the_canarys_units(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float value) {
    return std::abs(value) >= 0.0076F || std::fmod(double{value}, 0x1p-30) == 0;
  });
}

// Noise in float32 answered: always with the canary, never without.
TEST(NoiseArtefacts, FloatGapsDoNotShowTheCanary) {
  constexpr int kTries = 2000;
  const std::vector<float> canary = thin_canary();
  for (const double multiplier : {1.0, 10.0}) {
    std::array<int, 2> found{};
    for (std::size_t world = 0; world < 2; ++world) {
      crypto::StreamRandom random(world + 1);
      for (int i = 0; i < kTries; ++i) {
        std::vector<float> values = world == 1 ? canary : std::vector<float>(canary.size());
        add_gaussian_noise(values, multiplier, random);
        found[world] += static_cast<int>(is_in_the_canarys_units(values));
      }
    }
    EXPECT_NEAR(found[0], found[1], five_deviations(found[0], found[1], kTries)) << multiplier;
  }
}

/// The lowest set bit of a float, as its power of two above 2^-149; the last place is that of 0.
std::size_t lowest_bit(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value) & 0x7fffffffU;
  if (bits == 0) return 255;
  const std::uint32_t mantissa = (bits & 0x7fffffU) | 0x800000U;  // no value here is subnormal
  return (bits >> 23) - 1 + static_cast<std::uint32_t>(std::countr_zero(mantissa));
}

// A canary must not change how often each lowest set bit occurs by more than its own shift does,
// which is 1.6 % of a deviation here.
TEST(NoiseArtefacts, TheLastBitsDoNotShowTheCanary) {
  constexpr int kTries = 200;
  const std::vector<float> canary = thin_canary();
  std::array<std::array<double, 256>, 2> found{};
  for (std::size_t world = 0; world < 2; ++world) {
    crypto::StreamRandom random(world + 3);
    for (int i = 0; i < kTries; ++i) {
      std::vector<float> values = world == 1 ? canary : std::vector<float>(canary.size());
      add_gaussian_noise(values, 1, random);
      for (const float value : values)
        ++found[world].at(lowest_bit(value));
    }
  }
  const double count = kTries * static_cast<double>(canary.size());
  for (std::size_t bit = 0; bit < 256; ++bit)
    EXPECT_NEAR(found[0][bit], found[1][bit], five_deviations(found[0][bit], found[1][bit], count))
        << bit;
}

struct RadiiOnGrid {
  double near = 0;
  double all = 0;
};

/// Of the pairs at 4.5 deviations, whose radii are sqrt(-2 ln u) for u = word / 2^32: how many have
/// a whole word once `guess` is taken off.
RadiiOnGrid radii_on_grid(const std::vector<float>& values, double guess) {
  RadiiOnGrid out;
  for (std::size_t block = 0; block + 2048 <= values.size(); block += 2048)
    for (std::size_t i = block; i < block + 1024; ++i) {
      const double p = double{values[i]} - guess;
      const double q = double{values[i + 1024]} - guess;
      const double half = (p * p + q * q) / 2;
      if (half < 10.3 || half > 11.1) continue;
      const double word = std::exp(-half) * 0x1p32;
      if (word < 66000 || word > 130000) continue;
      ++out.all;
      if (std::abs(word - std::round(word)) < 0.15) ++out.near;
    }
  return out;
}

/// `step` is that of a quantiser behind the noise, in its deviations; 0 for none.
void expect_no_grid_of_radii(double step) {
  constexpr std::size_t kCount = std::size_t{1} << 24;
  constexpr auto kCanary = static_cast<float>(1.0 / 4096);  // norm 1 over all values
  RadiiOnGrid right;
  RadiiOnGrid wrong;
  for (std::uint64_t turn = 0; turn < 4; ++turn) {
    crypto::StreamRandom random(turn + 5);
    std::vector<float> values(kCount, kCanary);
    add_gaussian_noise(values, 1, random);
    if (step > 0)
      for (float& value : values)
        value = static_cast<float>(std::round(double{value} / step) * step);
    const RadiiOnGrid with = radii_on_grid(values, double{kCanary});
    const RadiiOnGrid without = radii_on_grid(values, 0);
    right = {right.near + with.near, right.all + with.all};
    wrong = {wrong.near + without.near, wrong.all + without.all};
  }
  ASSERT_GT(right.all, 300);
  const double tries = std::min(right.all, wrong.all);
  EXPECT_NEAR(right.near / right.all * tries, wrong.near / wrong.all * tries,
              five_deviations(right.near, wrong.near, std::max(right.all, wrong.all)));
}

// 32-bit radii in float32 answered: 9 of 10 with the right guess, 3 of 10 with the wrong one.
TEST(NoiseArtefacts, RadiiDoNotShowTheCanary) {
  expect_no_grid_of_radii(0);
}

TEST(NoiseArtefacts, RadiiDoNotShowTheCanaryThroughTheFinestQuantiser) {
  expect_no_grid_of_radii(12.0 / (1 << 24));  // 24 bits over +-6 deviations
}

struct Hits {
  double single = 0;
  double pairs = 0;
};

/// How many values, and how many of Box and Muller's pairs, are exactly `wanted`.
Hits exact_hits(float value, float wanted, std::uint64_t seed, std::size_t count) {
  Hits out;
  crypto::StreamRandom random(seed);
  std::vector<float> values(std::size_t{1} << 20);
  for (std::size_t done = 0; done < count; done += values.size()) {
    std::fill(values.begin(), values.end(), value);
    add_gaussian_noise(values, 1, random);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] != wanted) continue;
      ++out.single;
      if (i % 2048 < 1024 && values[i + 1024] == wanted) ++out.pairs;
    }
  }
  return out;
}

// The words next to 2^32 had radius 0: a pair was the canary itself once in 27 million pairs, by
// which it was known. A value on no grid is never released; one on the grid comes back as often as
// without the canary, and in both values of a pair as often as independence says.
TEST(NoiseArtefacts, NoValueComesBackWithoutNoise) {
  constexpr std::size_t kCount = std::size_t{1} << 27;
  constexpr float kOffGrid = 0x1.234p-11F;
  EXPECT_EQ(exact_hits(kOffGrid, kOffGrid, 20, kCount).single, 0);
}

TEST(NoiseArtefacts, AValueOnTheGridComesBackAsOftenAsItsNeighbours) {
  constexpr std::size_t kCount = std::size_t{1} << 24;
  constexpr float kOnGrid = 0x1p-6F;
  const Hits with = exact_hits(kOnGrid, kOnGrid, 21, kCount);
  const Hits without = exact_hits(0, kOnGrid, 22, kCount);
  const double mass = 0x1p-6 * 0.3989423;
  EXPECT_NEAR(with.single, mass * kCount, 5 * std::sqrt(mass * kCount) + 20);
  EXPECT_NEAR(without.single, mass * kCount, 5 * std::sqrt(mass * kCount) + 20);
  EXPECT_NEAR(with.pairs, mass * mass * kCount / 2, 5 * mass * std::sqrt(kCount / 2.0));
  EXPECT_NEAR(without.pairs, mass * mass * kCount / 2, 5 * mass * std::sqrt(kCount / 2.0));
}

}  // namespace
}  // namespace sotto::privacy

#include "common/privacy/mechanisms/noise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace sotto::privacy {
namespace {

// Every bound here is 5 standard deviations or a p-value of 1e-6, with fixed seeds.

std::vector<float> normals(std::size_t count, std::uint64_t seed, double deviation = 1) {
  crypto::StreamRandom random(seed);
  std::vector<float> out(count);
  add_gaussian_noise(out, deviation, random);
  return out;
}

constexpr double kSpacing = 0x1p-6;  // of the grid at a standard deviation of 1

double normal_cdf(double z) {
  return 0.5 * std::erfc(-z / std::numbers::sqrt2);
}

TEST(GaussianNoise, HasTheMomentsOfTheNormal) {
  constexpr std::size_t kCount = 4'000'000;
  double m1 = 0;
  double m2 = 0;
  double m3 = 0;
  double m4 = 0;
  for (const float value : normals(kCount, 1)) {
    const double z = value;
    m1 += z;
    m2 += z * z;
    m3 += z * z * z;
    m4 += z * z * z * z;
  }
  const double five = 5 / std::sqrt(static_cast<double>(kCount));
  EXPECT_NEAR(m1 / kCount, 0, five);
  EXPECT_NEAR(m2 / kCount, 1, five * std::sqrt(2.0));
  EXPECT_NEAR(m3 / kCount, 0, five * std::sqrt(15.0));
  EXPECT_NEAR(m4 / kCount, 3, five * std::sqrt(96.0));
}

// One value in double: the distribution of the others, and a grid that does not depend on the
// value.
TEST(GaussianNoise, OfOneDoubleIsThatOfFloatsAndKeepsNoFraction) {
  constexpr std::size_t kCount = 20'000;
  crypto::StreamRandom random(3);
  const double value = 1e9 + 1.0 / 3;  // has no exact float, and its fraction is on no grid
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double noisy = with_gaussian_noise(value, 2, random);
    EXPECT_EQ(std::fmod(noisy, 2 * kSpacing), 0);
    sum += noisy - value;
    squares += (noisy - value) * (noisy - value);
  }
  const double mean = sum / kCount;
  EXPECT_NEAR(mean, 0, 5 * 2 / std::sqrt(static_cast<double>(kCount)));
  EXPECT_NEAR(std::sqrt(squares / kCount - mean * mean), 2, 0.05);
  EXPECT_EQ(with_gaussian_noise(value, 0, random), value);
}

// Of the share of values up to a multiple of the spacing, which has the Gaussian mass up to the end
// of its cell, half a spacing further.
TEST(GaussianNoise, PassesKolmogorovAndSmirnov) {
  constexpr std::size_t kCount = 4'000'000;
  std::vector<float> sorted = normals(kCount, 2);
  std::sort(sorted.begin(), sorted.end());
  double distance = 0;
  for (std::size_t i = 0; i + 1 < kCount; ++i) {
    if (sorted[i] == sorted[i + 1]) continue;
    const double expected = normal_cdf(double{sorted[i]} + kSpacing / 2);
    distance = std::max(distance, std::abs(expected - static_cast<double>(i + 1) / kCount));
  }
  EXPECT_LT(distance, std::sqrt(std::log(2 / 1e-6) / 2 / kCount));
}

TEST(GaussianNoise, HasItsTails) {
  constexpr std::size_t kCount = 50'000'000;
  constexpr std::array kBounds = {3.0, 4.0, 4.5, 5.0, 5.5};
  std::array<std::size_t, kBounds.size()> found{};
  crypto::StreamRandom random(3);
  std::vector<float> values(1'000'000);
  for (std::size_t part = 0; part < kCount; part += values.size()) {
    std::fill(values.begin(), values.end(), 0.0F);
    add_gaussian_noise(values, 1, random);
    for (const float value : values)
      for (std::size_t b = 0; b < kBounds.size(); ++b)
        found[b] += static_cast<std::size_t>(std::abs(double{value}) > kBounds[b]);
  }
  for (std::size_t b = 0; b < kBounds.size(); ++b) {
    const double expected = kCount * 2 * normal_cdf(-kBounds[b] - kSpacing / 2);
    EXPECT_NEAR(static_cast<double>(found[b]), expected, 5 * std::sqrt(expected) + 1) << kBounds[b];
  }
}

TEST(GaussianNoise, NeighboursAndPairsAreUncorrelated) {
  constexpr std::size_t kCount = 2'000'000;
  const std::vector<float> values = normals(kCount, 4);
  for (const std::size_t lag : {1U, 2U, 1023U, 1024U, 1025U, 2048U}) {
    double product = 0;
    double squares = 0;
    for (std::size_t i = 0; i + lag < kCount; ++i) {
      const double a = values[i];
      const double b = values[i + lag];
      product += a * b;
      squares += (a * a - 1) * (b * b - 1);
    }
    EXPECT_NEAR(product / kCount, 0, 5 / std::sqrt(kCount)) << lag;
    EXPECT_NEAR(squares / kCount, 0, 10 / std::sqrt(kCount)) << lag;
  }
}

TEST(GaussianNoise, IsAddedAtTheAskedDeviation) {
  std::vector<float> values(1'000'000, 100.0F);
  crypto::StreamRandom random(5);
  add_gaussian_noise(values, 2.5, random);
  double sum = 0;
  double squares = 0;
  for (const float value : values) {
    sum += double{value} - 100;
    squares += (double{value} - 100) * (double{value} - 100);
  }
  EXPECT_NEAR(sum / 1e6, 0, 2.5 * 5e-3);
  EXPECT_NEAR(squares / 1e6, 6.25, 6.25 * 5e-3 * std::sqrt(2.0));
}

TEST(GaussianNoise, EverySizeIsFilledAndNothingBeyond) {
  crypto::StreamRandom random(6);
  for (const std::size_t size : {0U, 1U, 2047U, 2048U, 2049U, 5000U}) {
    std::vector<float> values(size + 1, 7.001F);  // not on the grid
    add_gaussian_noise(std::span(values).first(size), 1, random);
    EXPECT_EQ(values[size], 7.001F);
    EXPECT_EQ(
        std::count(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(size), 7.001F), 0);
  }
}

TEST(GaussianNoise, DependsOnTheStreamAlone) {
  EXPECT_EQ(normals(5000, 7), normals(5000, 7));
  EXPECT_NE(normals(5000, 7), normals(5000, 8));
  EXPECT_EQ(normals(100, 9, 0.0), std::vector<float>(100, 0.0F));
}

TEST(PoissonSample, IncludesEveryIndexAtItsRate) {
  constexpr int kDraws = 20000;
  constexpr std::uint64_t kPopulation = 50;
  for (const double rate : {0.01, 0.3, 0.9}) {
    crypto::StreamRandom random(10);
    std::vector<int> hits(kPopulation);
    for (int i = 0; i < kDraws; ++i)
      for (const std::uint64_t index : poisson_sample(kPopulation, rate, random))
        ++hits[index];
    for (const int count : hits)
      EXPECT_NEAR(count, kDraws * rate, 5 * std::sqrt(kDraws * rate * (1 - rate)));
  }
}

TEST(PoissonSample, IndicesAreIndependentInPairs) {
  constexpr int kDraws = 100000;
  constexpr double kRate = 0.2;
  crypto::StreamRandom random(11);
  std::array<std::array<int, 10>, 10> both{};
  for (int i = 0; i < kDraws; ++i) {
    const std::vector<std::uint64_t> drawn = poisson_sample(10, kRate, random);
    for (const std::uint64_t a : drawn)
      for (const std::uint64_t b : drawn)
        ++both[a][b];
  }
  constexpr double kBoth = kRate * kRate;
  for (std::size_t a = 0; a < 10; ++a)
    for (std::size_t b = 0; b < a; ++b)
      EXPECT_NEAR(both[a][b], kDraws * kBoth, 5 * std::sqrt(kDraws * kBoth * (1 - kBoth)));
}

// The sum of squares of n standardised sizes has mean n and variance n (kurtosis - 1), near 2n.
TEST(PoissonSample, SizesAreBinomial) {
  constexpr int kDraws = 4000;
  for (const double rate : {0.001, 0.05, 0.7}) {
    constexpr std::uint64_t kPopulation = 2000;
    crypto::StreamRandom random(12);
    const double mean = kPopulation * rate;
    const double variance = mean * (1 - rate);
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const auto size = static_cast<double>(poisson_sample(kPopulation, rate, random).size());
      sum += size - mean;
      squares += (size - mean) * (size - mean);
    }
    const double spread = std::sqrt((2 + 1 / variance) / kDraws);
    EXPECT_NEAR(sum / kDraws, 0, 5 * std::sqrt(variance / kDraws)) << rate;
    EXPECT_NEAR(squares / kDraws / variance, 1, 5 * spread) << rate;
  }
}

TEST(PoissonSample, IsAscendingInRangeAndExactAtTheEnds) {
  crypto::StreamRandom random(13);
  const std::vector<std::uint64_t> drawn = poisson_sample(100000, 0.05, random);
  EXPECT_TRUE(std::is_sorted(drawn.begin(), drawn.end()));
  EXPECT_EQ(std::adjacent_find(drawn.begin(), drawn.end()), drawn.end());
  EXPECT_LT(drawn.back(), 100000U);
  EXPECT_TRUE(poisson_sample(1000, 0, random).empty());
  EXPECT_TRUE(poisson_sample(0, 0.5, random).empty());
  EXPECT_EQ(poisson_sample(1000, 1, random).size(), 1000U);
  EXPECT_TRUE(poisson_sample(1000, 1e-300, random).empty());
}

}  // namespace
}  // namespace sotto::privacy

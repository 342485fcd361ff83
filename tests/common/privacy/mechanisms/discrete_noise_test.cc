#include "common/privacy/mechanisms/discrete_noise.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/common/privacy/mechanisms/exact_discrete_gaussian.h"

namespace sotto::privacy {
namespace {

// Statistical bounds are 5 standard deviations or a p-value of 1e-6, with fixed seeds.

using Pmf = std::map<std::int64_t, double>;
using Histogram = std::map<std::int64_t, std::uint64_t>;

std::uint64_t units(double variance) {
  return static_cast<std::uint64_t>(variance * static_cast<double>(kVarianceUnit));
}

Uint128 from_hex128(const std::string& text) {
  return Uint128{std::stoull(text.substr(0, 16), nullptr, 16)} << 64 |
         std::stoull(text.substr(16), nullptr, 16);
}

std::vector<std::int64_t> samples(NoiseMechanism mechanism, double variance, std::size_t count,
                                  std::uint64_t seed) {
  crypto::StreamRandom random(seed);
  std::vector<std::int64_t> out(count);
  DiscreteNoise::create(mechanism, units(variance)).value().add_to(out, random);
  return out;
}

Pmf gaussian_pmf(double variance) {
  Pmf out;
  double total = 0;
  const auto reach = static_cast<std::int64_t>(12 * std::sqrt(variance)) + 2;
  for (std::int64_t x = -reach; x <= reach; ++x)
    total += out[x] = std::exp(-static_cast<double>(x * x) / (2 * variance));
  for (auto& [x, p] : out)
    p /= total;
  return out;
}

/// The difference of two Poisson draws, by convolution.
Pmf skellam_pmf(double variance) {
  const double mean = variance / 2;
  const auto reach = static_cast<std::int64_t>(12 * std::sqrt(mean)) + 12;
  const auto centre = static_cast<std::int64_t>(mean);
  const std::int64_t first = std::max<std::int64_t>(0, centre - reach);
  std::vector<double> poisson;
  for (std::int64_t k = first; k <= centre + reach; ++k)
    poisson.push_back(std::exp(static_cast<double>(k) * std::log(mean) - mean -
                               std::lgamma(static_cast<double>(k) + 1)));
  Pmf out;
  const auto count = static_cast<std::int64_t>(poisson.size());
  for (std::int64_t x = -reach; x <= reach; ++x)
    for (std::int64_t j = std::max<std::int64_t>(0, -x); j < std::min(count, count - x); ++j)
      out[x] += poisson[static_cast<std::size_t>(j + x)] * poisson[static_cast<std::size_t>(j)];
  return out;
}

Histogram histogram(std::span<const std::int64_t> values) {
  Histogram out;
  for (const std::int64_t value : values)
    ++out[value];
  return out;
}

/// The statistic as a normal deviate (Wilson and Hilferty).
double deviate(double statistic, double freedom) {
  return (std::cbrt(statistic / freedom) - (1 - 2 / (9 * freedom))) / std::sqrt(2 / (9 * freedom));
}

constexpr double kOneInAMillion = 4.75;  // of the normal, one side

/// Chi-square of the values against the pmf, in cells of at least 20 expected.
double chi_square_deviate(std::span<const std::int64_t> values, const Pmf& pmf) {
  const Histogram seen = histogram(values);
  const auto n = static_cast<double>(values.size());
  double statistic = 0;
  double expected = 0;
  double observed = 0;
  double cells = -1;
  double observed_in_all = 0;
  for (const auto& [x, p] : pmf) {
    expected += n * p;
    const auto found = seen.find(x);
    observed += found == seen.end() ? 0 : static_cast<double>(found->second);
    if (expected < 20) continue;
    statistic += (observed - expected) * (observed - expected) / expected;
    observed_in_all += observed;
    expected = observed = 0;
    ++cells;
  }
  EXPECT_GT(cells, 3);
  EXPECT_GT(observed_in_all, 0.999 * n) << "values beyond the support";
  return deviate(statistic, cells);
}

void expect_moments(std::span<const std::int64_t> values, double variance) {
  double sum = 0;
  double squares = 0;
  for (const std::int64_t value : values) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value * value);
  }
  const auto n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n));
  const double kurtosis = 3 + 1 / variance;  // of Skellam; the discrete Gaussian's is below
  EXPECT_NEAR(squares / n / variance, 1, 5 * std::sqrt((kurtosis - 1) / n));
}

TEST(NoiseTable, IsTheDistributionToEveryBitButTheLastOnes) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/dp/noise_tables.json");
  const nlohmann::json tables = nlohmann::json::parse(in).at("tables");
  ASSERT_EQ(tables.size(), 9U);
  for (const auto& golden : tables) {
    const std::uint64_t variance = golden.at("variance");
    const MagnitudeTable table = golden.at("mechanism") == "skellam"
                                     ? skellam_table(variance)
                                     : discrete_gaussian_table(variance);
    const auto& expected = golden.at("thresholds");
    ASSERT_GE(table.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const Uint128 exact = from_hex128(expected[i]);
      const Uint128 off = table[i] > exact ? table[i] - exact : exact - table[i];
      ASSERT_LE(static_cast<std::uint64_t>(off), 2U) << golden.at("mechanism") << variance << i;
      ASSERT_EQ(static_cast<std::uint64_t>(off >> 64), 0U);
    }
  }
}

// The masses are differences of thresholds, the first from 0 and the last to 2^128: they add up to
// 2^128 whatever the thresholds are, as long as these ascend.
TEST(NoiseTable, TotalMassIsExactlyTheRangeAndSignAndMagnitudeAreIndependent) {
  for (const MagnitudeTable& table :
       {discrete_gaussian_table(units(0.25)), discrete_gaussian_table(units(256)),
        skellam_table(units(0.25)), skellam_table(kVarianceUnit << 22)}) {
    EXPECT_TRUE(std::ranges::is_sorted(table));
    for (const Uint128 threshold : table)
      ASSERT_EQ(static_cast<std::uint64_t>(threshold) & 1U, 0U);
    const Uint128 last_mass = Uint128{0} - table.back();
    EXPECT_EQ(static_cast<std::uint64_t>(last_mass >> 64), 0U) << "the tail is cut below 2^-64";
    EXPECT_LT(static_cast<std::uint64_t>(last_mass), 1U << 28) << "and the cut is below 2^-100";
  }
}

TEST(DiscreteGaussian, FollowsItsExactPmf) {
  for (const double sigma : {2.0, 10.0, 364.0}) {
    const auto values = samples(NoiseMechanism::kDiscreteGaussian, sigma * sigma, 400'000, 1);
    EXPECT_LT(chi_square_deviate(values, gaussian_pmf(sigma * sigma)), kOneInAMillion) << sigma;
    expect_moments(values, sigma * sigma);
  }
}

TEST(DiscreteGaussian, AnAwkwardWideVarianceIsMetExactly) {
  const double variance = 12345.0 + 1.0 / 65536;
  const auto values = samples(NoiseMechanism::kDiscreteGaussian, variance, 1'000'000, 2);
  EXPECT_LT(chi_square_deviate(values, gaussian_pmf(variance)), kOneInAMillion);
  expect_moments(values, variance);
}

TEST(DiscreteGaussian, LayersHaveTheVarianceExactlyAndTheWidthsOfTheProof) {
  crypto::StreamRandom random(13);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t variance =
        kVarianceUnit / 4 + random.below(kVarianceUnit << random.below(41));
    Uint128 sum = 0;
    std::vector<GaussianLayer> layers = gaussian_layers(variance);
    std::uint64_t inner = layers.back().variance;  // of everything inside the layer looked at
    for (std::size_t at = layers.size(); at-- > 0;) {
      sum += Uint128{layers[at].variance} *
             static_cast<std::uint64_t>(layers[at].factor * layers[at].factor);
      ASSERT_LE(layers[at].variance, kVarianceUnit << 9);
      if (at + 1 == layers.size()) continue;
      const auto k = static_cast<std::uint64_t>(layers[at + 1].factor / layers[at].factor);
      ASSERT_GE(layers[at].variance, 5 * k * k * kVarianceUnit);
      ASSERT_GE(inner, 40 * kVarianceUnit);
      inner = layers[at].variance + k * k * inner;
    }
    ASSERT_TRUE(sum == variance);
  }
}

// The probabilities of X1 + 7 X2 from the tables themselves against the pmf, far below what
// samples show.
TEST(DiscreteGaussian, TwoLayersAreTheWideDistribution) {
  constexpr std::uint64_t kVariance = 3000 * kVarianceUnit + 12345;
  const std::vector<GaussianLayer> layers = gaussian_layers(kVariance);
  ASSERT_EQ(layers.size(), 2U);
  const auto probability = [](const MagnitudeTable& table, std::int64_t x) {
    const auto at = static_cast<std::size_t>(std::abs(x));
    if (at > table.size()) return 0.0;
    const Uint128 from = at == 0 ? 0 : table[at - 1];
    const Uint128 to = at == table.size() ? 0 : table[at];
    return static_cast<double>(to - from) * 0x1p-128 / (x == 0 ? 1 : 2);
  };
  const MagnitudeTable inner = discrete_gaussian_table(layers[1].variance);
  const MagnitudeTable outer = discrete_gaussian_table(layers[0].variance);
  const Pmf pmf = gaussian_pmf(static_cast<double>(kVariance) / kVarianceUnit);
  for (const std::int64_t x : {0, 1, 2, 3, 6, 7, 8, 50, 51, 200, 333}) {
    double composed = 0;
    for (std::int64_t j = -200; j <= 200; ++j)
      composed += probability(inner, j) * probability(outer, x - layers[1].factor * j);
    EXPECT_NEAR(composed, pmf.at(x), 1e-12 * pmf.at(x)) << x;
  }
}

TEST(Skellam, FollowsItsExactPmf) {
  for (const double sigma : {2.0, 10.0, 364.0}) {
    const std::size_t count = sigma > 100 ? 100'000 : 400'000;
    const auto values = samples(NoiseMechanism::kSkellam, sigma * sigma, count, 3);
    EXPECT_LT(chi_square_deviate(values, skellam_pmf(sigma * sigma)), kOneInAMillion) << sigma;
    expect_moments(values, sigma * sigma);
  }
}

TEST(Skellam, TheSumOfTwoIsSkellamOfTwiceTheVariance) {
  auto values = samples(NoiseMechanism::kSkellam, 3, 400'000, 4);
  crypto::StreamRandom random(5);
  DiscreteNoise::create(NoiseMechanism::kSkellam, units(3)).value().add_to(values, random);
  EXPECT_LT(chi_square_deviate(values, skellam_pmf(6)), kOneInAMillion);
}

TEST(DiscreteGaussian, TheExactSamplerFollowsTheSamePmf) {
  for (const double sigma : {2.0, 10.0, 364.0}) {
    crypto::StreamRandom random(6);
    ExactDiscreteGaussian exact(units(sigma * sigma), random);
    std::vector<std::int64_t> values(100'000);
    for (std::int64_t& value : values)
      value = exact.draw();
    EXPECT_LT(chi_square_deviate(values, gaussian_pmf(sigma * sigma)), kOneInAMillion) << sigma;
    expect_moments(values, sigma * sigma);
  }
}

// Two samples against each other: (a - b)^2 / (a + b) in cells of at least 40 together.
TEST(DiscreteGaussian, TableAndExactSamplerAgree) {
  constexpr std::size_t kCount = 150'000;
  const auto drawn = samples(NoiseMechanism::kDiscreteGaussian, 900, kCount, 7);
  crypto::StreamRandom random(8);
  ExactDiscreteGaussian exact(units(900), random);
  Histogram from_table = histogram(drawn);
  Histogram from_oracle;
  for (std::size_t i = 0; i < kCount; ++i)
    ++from_oracle[exact.draw()];
  double statistic = 0;
  double cells = -1;
  double a = 0;
  double b = 0;
  for (std::int64_t x = -400; x <= 400; ++x) {
    a += static_cast<double>(from_table[x]);
    b += static_cast<double>(from_oracle[x]);
    if (a + b < 40) continue;
    statistic += (a - b) * (a - b) / (a + b);
    a = b = 0;
    ++cells;
  }
  EXPECT_LT(deviate(statistic, cells), kOneInAMillion);
}

TEST(DiscreteNoise, NeighboursAndLayersAreIndependent) {
  const auto values = samples(NoiseMechanism::kDiscreteGaussian, 400, 500'000, 9);
  for (const std::size_t lag : {1U, 8U, 16U, 512U}) {
    double product = 0;
    for (std::size_t i = 0; i + lag < values.size(); ++i)
      product += static_cast<double>(values[i] * values[i + lag]) / 400;
    EXPECT_NEAR(product / 5e5, 0, 5 / std::sqrt(5e5)) << lag;
  }
}

TEST(DiscreteNoise, IsAddedToEveryValueOfEverySizeAndToNothingElse) {
  crypto::StreamRandom random(10);
  const DiscreteNoise noise =
      DiscreteNoise::create(NoiseMechanism::kDiscreteGaussian, units(1e6)).value();
  for (const std::size_t size : {0U, 1U, 511U, 512U, 513U, 2000U}) {
    std::vector<std::int64_t> values(size + 1, 1'000'000'000);
    noise.add_to(std::span(values).first(size), random);
    EXPECT_EQ(values[size], 1'000'000'000);
    EXPECT_LE(std::ranges::count(values, 1'000'000'000), 1 + 8) << "P(0) is 4e-4";
    for (const std::int64_t value : values)
      EXPECT_NEAR(static_cast<double>(value), 1e9, 16e3);
  }
}

TEST(DiscreteNoise, DependsOnTheSeedAlone) {
  EXPECT_EQ(samples(NoiseMechanism::kDiscreteGaussian, 5000, 1000, 11),
            samples(NoiseMechanism::kDiscreteGaussian, 5000, 1000, 11));
  EXPECT_NE(samples(NoiseMechanism::kDiscreteGaussian, 5000, 1000, 11),
            samples(NoiseMechanism::kDiscreteGaussian, 5000, 1000, 12));
}

TEST(DiscreteNoise, RefusesVariancesWithoutATable) {
  using enum NoiseMechanism;
  EXPECT_FALSE(DiscreteNoise::create(kDiscreteGaussian, kVarianceUnit / 4 - 1).ok());
  EXPECT_FALSE(DiscreteNoise::create(kSkellam, kVarianceUnit / 4 - 1).ok());
  EXPECT_TRUE(DiscreteNoise::create(kDiscreteGaussian, kVarianceUnit << 40).ok());
  EXPECT_FALSE(DiscreteNoise::create(kDiscreteGaussian, (kVarianceUnit << 40) + 1).ok());
  EXPECT_FALSE(DiscreteNoise::create(kSkellam, (kVarianceUnit << 22) + 1).ok());
}

TEST(DiscreteNoise, NoFloatingPointBetweenRandomBitsAndValue) {
  for (const char* file : {"discrete_noise.cc", "noise_table.cc", "wide_integer.h"}) {
    std::ifstream in(std::string(SOTTO_SOURCE_DIR "/common/privacy/mechanisms/") + file);
    std::stringstream text;
    text << in.rdbuf();
    ASSERT_GT(text.str().size(), 1000U) << file;
    EXPECT_FALSE(std::regex_search(text.str(), std::regex(R"(\b(double|float|cmath)\b)"))) << file;
  }
}

}  // namespace
}  // namespace sotto::privacy

#include "common/privacy/accounting/distributed_privacy.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {
namespace {

/// Rows of the published accounting code's table, of one kind.
std::vector<nlohmann::json> rows(const std::string& kind) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/dp/e2_distributed_skellam_ddgauss_public.json");
  std::vector<nlohmann::json> out;
  const nlohmann::json table = nlohmann::json::parse(in);
  for (const auto& row : table.at("rows"))
    if (row.at("kind") == kind) out.push_back(row);
  SOTTO_CHECK(out.size() >= 7, "the table is missing");
  return out;
}

constexpr double kSqrtHalf = 0.6065306597126334;  // beta = exp(-1/2)

NoisyRounds gaussian_rounds() {
  return {.mechanism = NoiseMechanism::kDiscreteGaussian,
          .variance = 100 * kVarianceUnit,
          .unknown_noises = 9,
          .squared_sensitivity = 90,
          .dimension = 1024,
          .rounds = 10};
}

NoiseTarget target() {
  return {.mechanism = NoiseMechanism::kDiscreteGaussian,
          .clipping_norm = 2,
          .epsilon = 4,
          .delta = 1e-6,
          .dimension = 1 << 17,
          .participants = 100,
          .unknown_noises = 80,
          .rounds = 50};
}

double epsilon_of(const NoisyRounds& rounds, double delta) {
  RdpAccountant accountant;
  EXPECT_TRUE(accountant.add(rounds).ok());
  return accountant.epsilon(delta);
}

TEST(DistributedPrivacy, SkellamRdpEqualsTheTableAndIsAboveTheTruth) {
  for (const auto& row : rows("skellam_rdp_bound")) {
    ASSERT_EQ(row.at("scale"), 1);
    const double rdp =
        skellam_rdp(row["l2_sens"], row["l1_sens"], row["central_variance"], row["order"]);
    EXPECT_NEAR(rdp, row["rdp"].get<double>(), 1e-9 * rdp) << row;
    EXPECT_GE(rdp, row.value("rdp_exact_1d_numeric", 0.0)) << row;
  }
}

TEST(DistributedPrivacy, DiscreteGaussianTauAndRdpEqualTheTable) {
  for (const auto& row : rows("ddgauss_tau_rdp")) {
    const std::uint32_t n = row["num_clients"];
    const double sigma = row["local_sigma_grid_units"];
    const double unit = std::sqrt(n) * sigma;
    const double tau = discrete_gaussian_tau(n, sigma);
    EXPECT_NEAR(tau, row["tau"].get<double>(), 1e-9 * tau) << row;
    for (const auto& [order, column] : {std::pair{2.0, "rdp_order2"}, {16.0, "rdp_order16"}}) {
      const double rdp = distributed_discrete_gaussian_rdp(row["l2_sens"].get<double>() / unit,
                                                           row["l1_sens"].get<double>() / unit, tau,
                                                           row["dim"], order);
      EXPECT_NEAR(rdp, row[column].get<double>(), 1e-9 * rdp) << row;
    }
  }
}

TEST(DistributedPrivacy, SquaredNormLimitEqualsTheTable) {
  std::size_t seen = 0;
  for (const auto& row : rows("rounded_l2_norm_bound")) {
    if (std::abs(row["beta"].get<double>() - kSqrtHalf) > 1e-9) continue;
    const double l2 = row["l2"];
    const std::uint64_t limit = squared_norm_limit(row["l2_norm_bound_grid_units"], row["dim"]);
    EXPECT_LE(static_cast<double>(limit), l2 * l2 * (1 + 1e-12)) << row;
    EXPECT_GT(static_cast<double>(limit), l2 * l2 * (1 - 1e-12) - 1) << row;
    ++seen;
  }
  EXPECT_EQ(seen, 7U);
}

/// One round as the accountant takes it, from a row without sampling; nothing where the deviation
/// is below what is accepted here.
NoisyRounds rounds_of_row(const nlohmann::json& row, NoiseMechanism mechanism) {
  const double steps = 1 / row["gamma"].get<double>();
  const double sigma = row["local_stddev"].get<double>() * steps;
  return {
      .mechanism = mechanism,
      .variance = static_cast<std::uint64_t>(std::llround(sigma * sigma * kVarianceUnit)),
      .unknown_noises = row["num_clients"],
      .squared_sensitivity = squared_norm_limit(row["l2_clip"].get<double>() * steps, row["dim"]),
      .dimension = row["dim"],
      .rounds = row["steps"]};
}

// The table's orders are whole numbers up to 128 and 256; ours have more, so ours may be lower.
TEST(DistributedPrivacy, EpsilonOfManyRoundsEqualsTheTable) {
  std::size_t seen = 0;
  for (const auto& [kind, mechanism] :
       {std::pair{"ddgauss_epsilon", NoiseMechanism::kDiscreteGaussian},
        std::pair{"skellam_epsilon", NoiseMechanism::kSkellam}}) {
    for (const auto& row : rows(kind)) {
      if (row["q"] != 1.0 || std::abs(row["beta"].get<double>() - kSqrtHalf) > 1e-9) continue;
      if (row["eps"] > 60.0) continue;  // e^60 times the samplers' distance is above delta
      const double epsilon = epsilon_of(rounds_of_row(row, mechanism), row["delta"]);
      const double expected = row["eps"];
      EXPECT_LE(epsilon, expected * (1 + 1e-6)) << row;
      EXPECT_GE(epsilon, expected * (mechanism == NoiseMechanism::kSkellam ? 1 - 2e-3 : 0.95))
          << row;
      ++seen;
    }
  }
  EXPECT_EQ(seen, 6U);
}

TEST(DistributedPrivacy, RoundsAddUpLikeOneCompositionOfThem) {
  for (const auto mechanism : {NoiseMechanism::kDiscreteGaussian, NoiseMechanism::kSkellam}) {
    NoisyRounds rounds = gaussian_rounds();
    rounds.mechanism = mechanism;
    RdpAccountant one_by_one;
    NoisyRounds single = rounds;
    single.rounds = 1;
    for (int i = 0; i < 10; ++i)
      ASSERT_TRUE(one_by_one.add(single).ok());
    EXPECT_NEAR(one_by_one.epsilon(1e-5), epsilon_of(rounds, 1e-5), 1e-12);
    EXPECT_GT(epsilon_of(rounds, 1e-6), epsilon_of(rounds, 1e-5));
  }
}

TEST(DistributedPrivacy, OnlyNoisesThatNobodyElseKnowsCount) {
  NoisyRounds fewer = gaussian_rounds();
  fewer.unknown_noises = 8;
  EXPECT_GT(epsilon_of(fewer, 1e-5), epsilon_of(gaussian_rounds(), 1e-5));
}

// m' R n_h 2^-100 (1 + e^epsilon), here made visible by a tiny delta.
TEST(DistributedPrivacy, TheSamplersDistanceIsTakenOffDelta) {
  const double distance = 10 * 9 * 1024 * kSamplerDistance;
  const double epsilon = epsilon_of(gaussian_rounds(), 1e-5);
  const double smallest = 2 * (1 + std::exp(epsilon_of(gaussian_rounds(), 1e-16))) * distance;
  EXPECT_TRUE(std::isfinite(epsilon_of(gaussian_rounds(), 1e-16)));
  EXPECT_LT(epsilon, epsilon_of(gaussian_rounds(), 1e-16));
  EXPECT_LT(smallest, 1e-16);
  EXPECT_TRUE(std::isinf(epsilon_of(gaussian_rounds(), 0.5 * distance)));
}

TEST(DistributedPrivacy, RefusesNoiseItsBoundsAreNotWorthTheirName) {
  NoisyRounds narrow = gaussian_rounds();
  narrow.variance = 4 * kVarianceUnit;
  EXPECT_TRUE(check(narrow).ok());
  narrow.variance -= 1;
  EXPECT_FALSE(check(narrow).ok());
  EXPECT_FALSE(RdpAccountant().add(narrow).ok());
  narrow.mechanism = NoiseMechanism::kSkellam;
  EXPECT_TRUE(check(narrow).ok());

  NoisyRounds huge = gaussian_rounds();
  huge.variance = 4 * kVarianceUnit;
  huge.dimension = std::uint64_t{1} << 40;  // tau is 7e-17 for each
  EXPECT_FALSE(check(huge).ok());

  NoisyRounds none = gaussian_rounds();
  none.unknown_noises = 0;
  EXPECT_FALSE(check(none).ok());
  NoisyRounds wide = gaussian_rounds();
  wide.mechanism = NoiseMechanism::kSkellam;
  wide.variance = (kVarianceUnit << 22) + 1;
  EXPECT_FALSE(check(wide).ok());
}

TEST(NoisePlan, ReachesItsTargetAndHardlyMore) {
  for (const auto mechanism : {NoiseMechanism::kDiscreteGaussian, NoiseMechanism::kSkellam}) {
    NoiseTarget wanted = target();
    wanted.mechanism = mechanism;
    const auto plan = plan_noise(wanted);
    ASSERT_TRUE(plan.ok()) << plan.error().message;
    NoisyRounds all = plan->one_round;
    all.rounds = wanted.rounds;
    EXPECT_LE(epsilon_of(all, wanted.delta), wanted.epsilon);
    EXPECT_GT(epsilon_of(all, wanted.delta), 0.999 * wanted.epsilon);
  }
}

// A Gaussian of multiplier z released R times has RDP a R / (2 z^2).
TEST(NoisePlan, TheSumsNoiseIsTheMultiplierTimesTheSensitivity) {
  NoiseTarget wanted = target();
  wanted.noise_multiplier = 3;
  const auto plan = plan_noise(wanted);
  ASSERT_TRUE(plan.ok());
  const NoisyRounds& round = plan->one_round;
  const double of_sum = 80 * static_cast<double>(round.variance) / kVarianceUnit;
  EXPECT_NEAR(of_sum / static_cast<double>(round.squared_sensitivity), 9, 1e-6);
  const std::vector<double> rdp = noisy_round_rdp(round, std::array{2.0, 8.0});
  EXPECT_NEAR(rdp[0], 2 / 18.0, 1e-6);
  EXPECT_NEAR(rdp[1], 8 / 18.0, 1e-6);
}

TEST(NoisePlan, RoundingCostsAtMostOnePerCent) {
  for (const std::uint64_t dimension : {1U, 1024U, 1U << 20, 1U << 27}) {
    for (const std::uint32_t n : {3U, 1000U}) {
      NoiseTarget wanted = target();
      wanted.dimension = dimension;
      wanted.participants = n;
      wanted.unknown_noises = n - 1;
      wanted.noise_multiplier = 0.7;
      const auto plan = plan_noise(wanted);
      ASSERT_TRUE(plan.ok()) << plan.error().message;
      const double norm = plan->steps_per_unit * wanted.clipping_norm;
      const auto squared = static_cast<double>(plan->one_round.squared_sensitivity);
      EXPECT_LE(std::sqrt(squared), 1.01 * norm * (1 + 1e-9));
      EXPECT_LE(n / 4.0, 0.0101 * 0.49 * squared);
    }
  }
}

// 3.2 says "of order 3.6 sqrt(m') / cl".
TEST(NoisePlan, TheScaleIsThatOfTheSpecificationsTable) {
  for (const auto& [dimension, scale] :
       {std::pair{1U << 17, 1.3e3}, {1U << 20, 3.6e3}, {10U << 20, 1.14e4}, {96U << 20, 3.5e4}}) {
    NoiseTarget wanted = target();
    wanted.clipping_norm = 1;
    wanted.noise_multiplier = 1;
    wanted.dimension = dimension;
    EXPECT_NEAR(plan_noise(wanted)->steps_per_unit, scale, 0.05 * scale) << dimension;
  }
}

TEST(NoisePlan, RefusesWhatCannotBe) {
  const auto refused = [](auto change) {
    NoiseTarget wanted = target();
    change(wanted);
    return !plan_noise(wanted).ok();
  };
  EXPECT_FALSE(refused([](NoiseTarget&) {}));
  EXPECT_TRUE(refused([](NoiseTarget& t) { t.unknown_noises = 0; }));
  EXPECT_TRUE(refused([](NoiseTarget& t) { t.clipping_norm = 0; }));
  EXPECT_TRUE(refused([](NoiseTarget& t) { t.epsilon = 0; }));
  EXPECT_TRUE(refused([](NoiseTarget& t) { t.delta = 0; }));
  EXPECT_TRUE(refused([](NoiseTarget& t) { t.delta = 1e-30; }));
  EXPECT_TRUE(refused([](NoiseTarget& t) { t.noise_multiplier = 1e-9; }));
  EXPECT_TRUE(refused([](NoiseTarget& t) {
    t.mechanism = NoiseMechanism::kSkellam;
    t.unknown_noises = 1;
    t.epsilon = 0.1;
  })) << "more noise than Skellam's table holds";
}

}  // namespace
}  // namespace sotto::privacy

#include "common/privacy/accounting/accountant.h"

#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/privacy/accounting/calibration.h"
#include "common/privacy/accounting/example_accountant.h"
#include "common/privacy/accounting/fixed_size_sampling.h"
#include "common/privacy/accounting/subsampled_gaussian.h"

namespace sotto::privacy {
namespace {

nlohmann::json rows(const std::string& table) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/dp/" + table + "_public.json");
  nlohmann::json out = nlohmann::json::parse(in).at("rows");
  SOTTO_CHECK(out.size() >= 30, "the table is missing");
  return out;
}

double epsilon(double q, double sigma, std::uint64_t steps, double delta,
               const AccountantKind& accounting = accountants::rdp) {
  const DpSgdSteps run{.sampling_rate = q, .noise_multiplier = sigma, .steps = steps};
  return epsilon_of({&run, 1}, delta, accounting).value();
}

TEST(RdpAccountant, CurveEqualsTheFortyDigitReference) {
  for (const auto& row : rows("b_rdp_curve")) {
    const double order = row["order"];
    const double expected = row["rdp_mpmath40"];
    const double rdp = subsampled_gaussian_rdp(row["q"], row["sigma"], std::array{order})[0];
    EXPECT_NEAR(rdp, expected, 1e-8 * expected + 1e-14) << row;
    EXPECT_GE(rdp, expected * (1 - 1e-12) - 1e-14) << "never below the truth: " << row;
  }
}

TEST(RdpAccountant, EpsilonEqualsTheSignedSeriesAtTheSameOrders) {
  for (const auto& row : rows("a_poisson_gaussian")) {
    const double expected = row["eps_rdp_signed"];
    const double loose = row["eps_rdp"];
    const double found = epsilon(row["q"], row["sigma"], row["T"], row["delta"]);
    EXPECT_NEAR(found, expected, 1e-6 * expected) << row;
    EXPECT_LE(found, loose * (1 + 1e-6)) << row;
    EXPECT_GE(found, row["eps_pld_1e-5"].is_number() ? double{row["eps_pld_1e-5"]} - 1e-3 : 0.0);
  }
}

TEST(RdpAccountant, WithoutSamplingItIsTheGaussianClosedForm) {
  RdpAccountant accountant;
  ASSERT_TRUE(accountant.add({.sampling_rate = 1, .noise_multiplier = 3, .steps = 5}).ok());
  for (std::size_t i = 0; i < accountant.orders().size(); ++i)
    EXPECT_DOUBLE_EQ(accountant.rdp()[i], 5 * accountant.orders()[i] / 18);
}

TEST(RdpAccountant, CurveIsContinuousFromFractionalToIntegerOrders) {
  for (const double q : {1e-6, 0.01, 0.3, 0.999}) {
    for (const double sigma : {0.4, 1.0, 5.0, 50.0}) {
      const auto rdp = subsampled_gaussian_rdp(q, sigma, std::array{4.9999999, 5.0, 5.0000001});
      EXPECT_NEAR((rdp[0] + rdp[2]) / 2, rdp[1], 1e-9 * rdp[1]) << q << " " << sigma;
    }
  }
}

TEST(RdpAccountant, RdpRisesWithOrderAndRateAndFallsWithNoise) {
  RdpAccountant accountant;
  ASSERT_TRUE(accountant.add({.sampling_rate = 0.02, .noise_multiplier = 0.8, .steps = 1}).ok());
  for (std::size_t i = 1; i < accountant.rdp().size(); ++i)
    EXPECT_GE(accountant.rdp()[i], accountant.rdp()[i - 1]);
  EXPECT_LT(epsilon(0.01, 1, 100, 1e-5), epsilon(0.011, 1, 100, 1e-5));
  EXPECT_LT(epsilon(0.01, 1.01, 100, 1e-5), epsilon(0.01, 1, 100, 1e-5));
}

TEST(RdpAccountant, NFoldCompositionIsNTimesOneFold) {
  const DpSgdSteps once{.sampling_rate = 0.03, .noise_multiplier = 1.1, .steps = 1};
  DpSgdSteps hundred = once;
  hundred.steps = 100;
  RdpAccountant one_by_one;
  RdpAccountant at_once;
  ASSERT_TRUE(at_once.add(hundred).ok());
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(one_by_one.add(once).ok());
  for (std::size_t i = 0; i < at_once.rdp().size(); ++i)
    EXPECT_NEAR(one_by_one.rdp()[i], at_once.rdp()[i], 1e-11 * at_once.rdp()[i]);
  EXPECT_NEAR(one_by_one.epsilon(1e-6), at_once.epsilon(1e-6), 1e-9);
}

TEST(RdpAccountant, DifferentPartsAddUpInAnyOrder) {
  const DpSgdSteps a{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 700};
  const DpSgdSteps b{.sampling_rate = 0.05, .noise_multiplier = 2, .steps = 300};
  RdpAccountant ab;
  RdpAccountant ba;
  EXPECT_TRUE(ab.add(a).ok() && ab.add(b).ok() && ba.add(b).ok() && ba.add(a).ok());
  EXPECT_NEAR(ab.epsilon(1e-5), ba.epsilon(1e-5), 1e-12);
  EXPECT_GT(ab.epsilon(1e-5), epsilon(0.01, 1, 700, 1e-5));
}

TEST(RdpAccountant, NothingSpentIsZero) {
  EXPECT_EQ(RdpAccountant().epsilon(1e-9), 0);
  EXPECT_EQ(epsilon(0.01, 1, 0, 1e-9), 0);
}

TEST(RdpAccountant, OrdersThatDoNotConvergeAreInfinite) {
  const auto rdp = subsampled_gaussian_rdp(0.01, 1e-3, std::array{1.5, 2.0});
  EXPECT_EQ(rdp[0], std::numeric_limits<double>::infinity());
  EXPECT_GT(rdp[1], 1e5);
  EXPECT_GT(epsilon(0.01, 1e-3, 1, 1e-5), 1e5);
  EXPECT_EQ(epsilon(0.01, 1e-200, 1, 1e-5), std::numeric_limits<double>::infinity());
}

TEST(RdpAccountant, EqualsTheTableForBatchesOfAFixedSize) {
  std::size_t seen = 0;
  for (const auto& row : rows("h_userlevel_adjacency_tuning")) {
    if (row["kind"] != "fixed_size_wor_replace_one") continue;
    RdpAccountant found;
    const FixedSizeSteps steps{.fraction = double{row["batch"]} / double{row["N"]},
                               .noise_multiplier = row["sigma"],
                               .steps = row["T"]};
    ASSERT_TRUE(found.add(steps).ok());
    const double reference = row["eps"];
    EXPECT_NEAR(found.epsilon(row["delta"]), reference, 1e-6 * reference) << row;
    ++seen;
  }
  EXPECT_EQ(seen, 1U);
}

// Against the alternating sum itself, where order and noise are such that it does not cancel away.
TEST(RdpAccountant, BatchesOfAFixedSizeAreBoundedAtEveryOrder) {
  constexpr double kFraction = 0.05;
  constexpr double kSigma = 0.8;
  const auto at = [](double order) {
    return fixed_size_gaussian_rdp(kFraction, kSigma, std::array{order})[0];
  };
  const double s2 = kSigma * kSigma;
  const auto power = [&](int i) { return std::exp(i * (i - 1) / (2 * s2)); };
  const double second = std::min(4 * (power(2) - 1), 2 * power(2));
  const double fourth = power(4) - 4 * power(3) + 6 * power(2) - 3;
  const double third = std::min(4 * std::sqrt((power(2) - 1) * fourth), 2 * power(3));
  const double q2 = kFraction * kFraction;
  EXPECT_NEAR(at(2), std::log(1 + q2 * second), 1e-8);
  EXPECT_NEAR(at(3), std::log(1 + 3 * q2 * second + q2 * kFraction * third) / 2, 1e-8);
  EXPECT_NEAR(at(2.5) * 1.5, (at(2) + at(3) * 2) / 2, 1e-12);
  double last = 0;
  for (const double order : {1.1, 1.9, 2.0, 3.7, 8.0, 40.0, 256.0, 512.0, 1024.0}) {
    EXPECT_GE(at(order), last) << order;
    EXPECT_LE(at(order), order / (2 * s2)) << order;
    last = at(order);
  }
}

TEST(RdpAccountant, SmallDeltaNeedsMoreEpsilon) {
  double last = 0;
  for (const double delta : {1e-3, 1e-6, 1e-12, 1e-30, 1e-300}) {
    const double now = epsilon(0.01, 1, 1000, delta);
    EXPECT_GT(now, last);
    EXPECT_TRUE(std::isfinite(now));
    last = now;
  }
}

TEST(RdpAccountant, RefusesParametersOutOfRange) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  RdpAccountant accountant;
  for (const double q : {0.0, -0.1, 1.0001, kNan})
    EXPECT_FALSE(accountant.add({.sampling_rate = q, .noise_multiplier = 1, .steps = 1}).ok());
  for (const double sigma : {0.0, -1.0, kNan, std::numeric_limits<double>::infinity()})
    EXPECT_FALSE(
        accountant.add({.sampling_rate = 0.1, .noise_multiplier = sigma, .steps = 1}).ok());
  for (const double fraction : {0.0, 1.0, kNan})
    EXPECT_FALSE(accountant.add(FixedSizeSteps{fraction, 1, 1}).ok());
  EXPECT_FALSE(accountant.add(FixedSizeSteps{0.1, 0, 1}).ok());
  EXPECT_EQ(accountant.epsilon(1e-5), 0) << "nothing was added";
  for (const double delta : {0.0, 1.0, -1.0, kNan})
    EXPECT_FALSE(epsilon_of({.sampling_rate = 0.1, .noise_multiplier = 1, .steps = 1}, delta).ok());
}

TEST(ExampleAccountant, IsTheSmallerOfBothBounds) {
  for (const double delta : {1e-5, 1e-100}) {
    ExampleAccountant both;
    RdpAccountant rdp;
    PldAccountant pld;
    for (const DpSgdSteps& steps :
         {DpSgdSteps{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 700},
          DpSgdSteps{.sampling_rate = 0.05, .noise_multiplier = 2, .steps = 30}}) {
      ASSERT_TRUE(both.add(steps).ok() && rdp.add(steps).ok());
      ASSERT_TRUE(pld.add(SampledGaussian{.rate = steps.sampling_rate,
                                          .noise_multiplier = steps.noise_multiplier},
                          steps.steps)
                      .ok());
    }
    const double expected = std::min(pld.epsilon(delta), rdp.epsilon(delta));
    EXPECT_EQ(both.epsilon(delta), expected);
    EXPECT_TRUE(std::isfinite(expected)) << "the Renyi bound answers where the other cannot";
    EXPECT_TRUE(both.within(expected, delta));
    EXPECT_FALSE(both.within(expected * (1 - 1e-9), delta));
    EXPECT_TRUE(both.within(rdp.epsilon(delta), delta));
  }
  EXPECT_FALSE(ExampleAccountant().add({.sampling_rate = 2, .noise_multiplier = 1}).ok());
}

PrivacyTarget target_of(const nlohmann::json& row) {
  return {
      .epsilon = row["eps"], .delta = row["delta"], .sampling_rate = row["q"], .steps = row["T"]};
}

TEST(Calibration, IsTightAgainstItsOwnAccountant) {
  for (const auto& row : rows("c_calibration")) {
    const PrivacyTarget target = target_of(row);
    for (const AccountantKind* kind : accountant_kinds()) {
      const AccountantKind& accounting = *kind;
      const auto sigma = calibrate_noise_multiplier(target, accounting);
      ASSERT_TRUE(sigma.ok()) << sigma.error().message;
      EXPECT_LE(epsilon(row["q"], *sigma, row["T"], row["delta"], accounting), target.epsilon)
          << row;
      EXPECT_GT(epsilon(row["q"], 0.999 * *sigma, row["T"], row["delta"], accounting),
                target.epsilon)
          << row;
    }
  }
}

// sigma_rdp of the table is loose at fractional orders, sigma_pld is nearly the truth.
TEST(Calibration, EqualsThePublishedNoiseMultipliers) {
  for (const auto& row : rows("c_calibration")) {
    const auto by_rdp = calibrate_noise_multiplier(target_of(row), accountants::rdp);
    const auto by_pld = calibrate_noise_multiplier(target_of(row), accountants::pld);
    ASSERT_TRUE(by_rdp.ok() && by_pld.ok());
    EXPECT_LE(*by_rdp, double{row["sigma_rdp"]} * (1 + 2e-4)) << row;
    EXPECT_NEAR(*by_pld, double{row["sigma_pld"]}, 2e-3 * *by_pld) << row;
    EXPECT_LT(*by_pld, *by_rdp);
  }
}

// No Renyi order reaches the first two, so that the search cannot begin there.
TEST(Calibration, ReachesTargetsBelowTheFloorOfRenyi) {
  for (const PrivacyTarget& target :
       {PrivacyTarget{.epsilon = 0.01, .delta = 1e-8, .sampling_rate = 1e-3, .steps = 1000},
        PrivacyTarget{.epsilon = 0.002, .delta = 1e-8, .sampling_rate = 1e-2, .steps = 100},
        PrivacyTarget{.epsilon = 0.002, .delta = 1e-5, .sampling_rate = 1, .steps = 1},
        PrivacyTarget{.epsilon = 1e-4, .delta = 1e-6, .sampling_rate = 1e-3, .steps = 100}}) {
    const auto sigma = calibrate_noise_multiplier(target, accountants::pld);
    ASSERT_TRUE(sigma.ok()) << sigma.error().message;
    const auto spent = [&](double z) {
      return epsilon(target.sampling_rate, z, target.steps, target.delta, accountants::pld);
    };
    EXPECT_LE(spent(*sigma), target.epsilon);
    EXPECT_GT(spent(0.999 * *sigma), target.epsilon);
  }
}

TEST(Calibration, RefusesWhatCannotBe) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto refused = [](double eps, double delta, double rate, std::uint64_t steps) {
    const PrivacyTarget target{
        .epsilon = eps, .delta = delta, .sampling_rate = rate, .steps = steps};
    return !calibrate_noise_multiplier(target, accountants::pld).ok();
  };
  EXPECT_FALSE(refused(1, 1e-5, 0.1, 10));
  EXPECT_TRUE(refused(0, 1e-5, 0.1, 10));
  EXPECT_TRUE(refused(kInfinity, 1e-5, 0.1, 10));
  EXPECT_TRUE(refused(1, 0, 0.1, 10));
  EXPECT_TRUE(refused(1, 1e-5, 0, 10));
  EXPECT_TRUE(refused(1, 1e-5, 0.1, 0));
  EXPECT_TRUE(refused(1e-9, 1e-300, 1, 1000000000));
}

}  // namespace
}  // namespace sotto::privacy

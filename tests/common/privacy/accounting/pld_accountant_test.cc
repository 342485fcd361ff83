#include "common/privacy/accounting/pld_accountant.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/privacy/accounting/analytic_gaussian.h"
#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

nlohmann::json rows(const std::string& table) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/dp/" + table + "_public.json");
  nlohmann::json out = nlohmann::json::parse(in).at("rows");
  SOTTO_CHECK(out.size() >= 16, "the table is missing");
  return out;
}

PldAccountant accountant(const Mechanism& mechanism, std::uint64_t count) {
  PldAccountant out;
  const Status added = out.add(mechanism, count);
  SOTTO_CHECK(added.ok(), added.error().message);
  return out;
}

PldAccountant gaussian(double rate, double sigma, std::uint64_t steps) {
  return accountant(SampledGaussian{.rate = rate, .noise_multiplier = sigma}, steps);
}

double rdp_epsilon(double rate, double sigma, std::uint64_t steps, double delta) {
  RdpAccountant rdp;
  EXPECT_TRUE(rdp.add({.sampling_rate = rate, .noise_multiplier = sigma, .steps = steps}).ok());
  return rdp.epsilon(delta);
}

// The table's interval. Rounding to the same grid in the same way must give the same figure; the
// reference cuts tails and adds masses in another way.
TEST(PldAccountant, EqualsThePublishedAccountantAtTheSameInterval) {
  std::size_t seen = 0;
  for (const auto& row : rows("a_poisson_gaussian")) {
    // The next test has the rest: what is far from what anybody would release takes long here.
    if (row["eps_pld"].is_null() || row["delta"] != 1e-5 || row["eps_pld"] > 12.0) continue;
    ++seen;
    const double reference = row["eps_pld"];
    const double found = gaussian(row["q"], row["sigma"], row["T"]).epsilon_at(1e-4, row["delta"]);
    const double finest =
        row["eps_pld_1e-5"].is_number() ? double{row["eps_pld_1e-5"]} : reference - 6e-3;
    EXPECT_LE(found, reference * (1 + 1e-4) + 1e-6) << row;
    EXPECT_GE(found, std::min(finest, reference * (1 - 1e-4)) - 1e-6) << row;
  }
  EXPECT_GE(seen, 100U);
}

TEST(PldAccountant, ChoosesAnIntervalThatAddsLittle) {
  for (const auto& row : rows("a_poisson_gaussian")) {
    if (row["eps_pld"].is_null()) continue;
    const double coarse = row["eps_pld"];
    const double best = row["eps_pld_1e-5"].is_number() ? double{row["eps_pld_1e-5"]} : coarse;
    const double found = gaussian(row["q"], row["sigma"], row["T"]).epsilon(row["delta"]);
    EXPECT_LE(found, best * (1 + 1e-3) + 1e-5) << row;
    EXPECT_GE(found, std::min(coarse - 2e-3, best - 1e-3) - 5e-4 * best) << row;
    EXPECT_LE(found, double{row["eps_rdp_signed"]}) << row;
    const auto& prv = row["prv_opacus_lower_est_upper"];
    if (prv.is_array()) {
      EXPECT_GE(found, double{prv[0]}) << row;
    }
  }
}

TEST(PldAccountant, IsNeverBelowTheExactEpsilonOfOneStep) {
  std::size_t seen = 0;
  for (const auto& row : rows("a1_poisson_gaussian_T1_exact")) {
    if (row["kind"] != "eps") continue;
    const double exact = row["eps_exact"];
    for (const double found :
         {gaussian(row["q"], row["sigma"], 1).epsilon(row["delta"]),
          gaussian(row["q"], row["sigma"], 1).epsilon_at(1e-4, row["delta"])}) {
      EXPECT_GE(found, exact * (1 - 1e-12)) << row;
      EXPECT_LE(found, exact * (1 + 1e-3) + 5e-5) << row;
    }
    ++seen;
  }
  EXPECT_GE(seen, 30U);
}

/// The larger delta(epsilon) of both directions of one step, in closed form.
double delta_of_one_step(double q, double sigma, double epsilon) {
  const long double rate = q;
  const auto above = [sigma](double x) { return std::erfc(x / sigma / std::sqrt(2.0L)) / 2; };
  const auto output_of = [&](double loss) {
    return static_cast<double>(sigma * sigma * std::log1p(std::expm1(1.0L * loss) / rate) + 0.5L);
  };
  const auto mixed = [&](double of_without, double of_with) {
    return (1 - rate) * above(of_without) + rate * above(of_with);
  };
  const long double factor = std::exp(1.0L * epsilon);
  const double high = output_of(epsilon);
  long double delta = mixed(high, high - 1) - factor * above(high);
  if (std::exp(-epsilon) > 1 - q) {
    const double low = output_of(-epsilon);
    delta = std::max(delta, above(-low) - factor * mixed(-low, 1 - low));
  }
  return static_cast<double>(delta);
}

TEST(PldAccountant, OneStepAtAnyRateIsTheClosedFormAndNeverBelowIt) {
  std::mt19937_64 random(16);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int i = 0; i < 200; ++i) {
    const double q = std::pow(10, -6 + 6 * uniform(random));
    const double sigma = 0.4 + 3 * uniform(random) * uniform(random);
    const double delta = std::pow(10, -3 - 7 * uniform(random));
    double low = 0;
    double exact = 60;
    for (int k = 0; k < 80; ++k) {
      const double middle = (low + exact) / 2;
      (delta_of_one_step(q, sigma, middle) > delta ? low : exact) = middle;
    }
    if (delta_of_one_step(q, sigma, 0) <= delta) exact = 0;
    const double found = gaussian(q, sigma, 1).epsilon(delta);
    EXPECT_GE(found, exact * (1 - 1e-10)) << q << " " << sigma << " " << delta;
    EXPECT_LE(found, exact * (1 + 5e-3) + 5e-6) << q << " " << sigma << " " << delta;
  }
}

/// Below delta(epsilon) of two steps, by hardly more than 1e-3 of it: outputs in bins are
/// post-processing.
double delta_of_two_binned_steps(double q, double sigma, double epsilon) {
  constexpr double kBin = 0.01;
  std::vector<double> with;
  std::vector<double> without;
  const auto below = [sigma](double x) { return std::erfc(-x / sigma / std::sqrt(2.0)) / 2; };
  for (double x = -4; x < 7; x += kBin) {
    const double mass = below(x + kBin) - below(x);
    without.push_back(mass);
    with.push_back((1 - q) * mass + q * (below(x + kBin - 1) - below(x - 1)));
  }
  double delta = 0;
  for (std::size_t i = 0; i < with.size(); ++i)
    for (std::size_t j = 0; j < with.size(); ++j)
      delta += std::max(0.0, with[i] * with[j] - std::exp(epsilon) * without[i] * without[j]);
  return delta;
}

TEST(PldAccountant, AFewStepsAtASmallRateCostWhatTheyCost) {
  EXPECT_NEAR(gaussian(1e-4, 0.7, 1).epsilon(1e-5), 0.00076540, 1e-7) << "exact: 0.00076539821";
  const double two = gaussian(1e-4, 0.7, 2).epsilon(1e-5);
  EXPECT_LE(delta_of_two_binned_steps(1e-4, 0.7, two), 1e-5);
  EXPECT_GT(delta_of_two_binned_steps(1e-4, 0.7, 0.99 * two), 1e-5);

  struct Case {
    double rate, sigma, delta;
  };

  for (const auto& [rate, sigma, delta] :
       {Case{1e-4, 0.7, 1e-5}, {6e-5, 0.8, 1e-10}, {1e-3, 1, 1e-6}, {1e-4, 0.5, 1e-8}}) {
    double last = 0;
    for (std::uint64_t steps = 1; steps <= 12; ++steps) {
      const double found = gaussian(rate, sigma, steps).epsilon(delta);
      EXPECT_GT(found, last) << steps << " steps at rate " << rate;
      if (steps % 4 == 1) {
        EXPECT_NEAR(found, gaussian(rate, sigma, steps).epsilon_at(found / 300, delta),
                    3e-3 * found)
            << steps << " steps at rate " << rate;
      }
      last = found;
    }
  }
}

TEST(PldAccountant, CoversTheExactDeltasOfBothDirections) {
  std::size_t seen = 0;
  for (const auto& row : rows("a1_poisson_gaussian_T1_exact")) {
    if (row["kind"] != "delta") continue;
    const double delta = std::max(double{row["delta_remove"]}, double{row["delta_add"]});
    if (!(delta > 1e-12 && delta < 0.9)) continue;
    const double exact = row["eps"];
    const double found = gaussian(row["q"], row["sigma"], 1).epsilon_at(1e-4, delta);
    EXPECT_GE(found, exact * (1 - 1e-9) - 1e-12) << row;
    EXPECT_LE(found, exact * (1 + 1e-3) + 1e-4) << row;
    ++seen;
  }
  EXPECT_GE(seen, 60U);
}

TEST(PldAccountant, EqualsTheTableForLaplaceAndDiscreteNoise) {
  for (const auto& row : rows("e_laplace_discrete")) {
    const std::string kind = row["mechanism"];
    const auto mechanism = [&]() -> Mechanism {
      if (kind == "laplace") return SampledLaplace{.scale = row["b"]};
      if (kind == "poisson_laplace") return SampledLaplace{.rate = row["q"], .scale = row["b"]};
      if (kind == "discrete_laplace")
        return DiscreteLaplace{.decay = row["a"], .sensitivity = row["sensitivity"]};
      return DiscreteGaussian{.sigma = row["sigma"], .sensitivity = row["sensitivity"]};
    }();
    const double reference = row["eps_pld"];
    const PldAccountant found = accountant(mechanism, row["count"]);
    if (reference < 20) {
      EXPECT_NEAR(found.epsilon_at(1e-4, row["delta"]), reference, 1e-4 * reference + 1e-6) << row;
    }
    // A finer grid than the table's may well be below it, by up to one interval.
    EXPECT_LE(found.epsilon(row["delta"]), reference * (1 + 1e-3) + 1e-5) << row;
    EXPECT_GE(found.epsilon(row["delta"]), reference * (1 - 2e-3) - 1e-4) << row;
    if (row["eps_rdp"].is_number()) {
      EXPECT_LE(found.epsilon(row["delta"]), double{row["eps_rdp"]} * (1 + 1e-9)) << row;
    }
  }
}

TEST(PldAccountant, EqualsTheTableForMixedRuns) {
  for (const auto& row : rows("f_heterogeneous")) {
    PldAccountant found;
    for (const auto& part : row["parts"])
      ASSERT_TRUE(found
                      .add(SampledGaussian{.rate = part["q"], .noise_multiplier = part["sigma"]},
                           part["steps"])
                      .ok());
    const double reference = row["eps_pld"];
    const double epsilon = found.epsilon(row["delta"]);
    EXPECT_NEAR(epsilon, reference, 1e-3 * reference) << row;
    EXPECT_GE(epsilon, double{row["prv_lower"]}) << row;
    EXPECT_LE(epsilon, double{row["prv_upper"]}) << row;
    EXPECT_NEAR(found.epsilon_at(1e-4, row["delta"]), reference, 1e-4 * reference) << row;
  }
}

TEST(PldAccountant, EqualsTheTableForAPersonWithManyExamplesAndForReplacement) {
  std::size_t seen = 0;
  for (const auto& row : rows("h_userlevel_adjacency_tuning")) {
    const std::string kind = row["kind"];
    const bool of_person = kind == "user_level_poisson_k_examples";
    if (!of_person && kind != "poisson_replace_one") continue;
    const Mechanism mechanism =
        of_person ? Mechanism(SampledGaussian{
                        .rate = row["q"], .noise_multiplier = row["sigma"], .examples = row["k"]})
                  : Mechanism(ReplacedExample{.rate = row["q"], .noise_multiplier = row["sigma"]});
    const double reference = row["eps"];
    EXPECT_NEAR(accountant(mechanism, row["T"]).epsilon_at(1e-4, row["delta"]), reference,
                1e-4 * reference + 1e-6)
        << row;
    EXPECT_NEAR(accountant(mechanism, row["T"]).epsilon(row["delta"]), reference, 1e-3 * reference)
        << row;
    ++seen;
  }
  EXPECT_EQ(seen, 14U);
}

TEST(PldAccountant, EqualsTheTableForTruncatedBatches) {
  std::size_t seen = 0;
  for (const auto& row : rows("h_userlevel_adjacency_tuning")) {
    if (row["kind"] != "truncated_poisson") continue;
    const TruncatedBatch cut{.rate = row["q"],
                             .noise_multiplier = row["sigma"],
                             .records = row["N"],
                             .largest_batch = row["max_batch"]};
    const double reference = row["eps"];
    EXPECT_NEAR(accountant(cut, row["T"]).epsilon_at(1e-4, row["delta"]), reference,
                1e-4 * reference)
        << row;
    EXPECT_NEAR(accountant(cut, row["T"]).epsilon(row["delta"]), reference, 1e-3 * reference)
        << row;
    ++seen;
  }
  EXPECT_EQ(seen, 2U);
}

TEST(PldAccountant, ATruncatedBatchCostsMoreAndOneThatNeverFillsCostsTheSame) {
  const auto epsilon = [](std::uint32_t largest_batch) {
    const TruncatedBatch cut{
        .rate = 0.1, .noise_multiplier = 2, .records = 1000, .largest_batch = largest_batch};
    return accountant(cut, 100).epsilon_at(1e-3, 1e-5);
  };
  EXPECT_EQ(epsilon(1000), gaussian(0.1, 2, 100).epsilon_at(1e-3, 1e-5));
  EXPECT_GT(epsilon(130), epsilon(1000) * 1.02);
  EXPECT_GT(epsilon(110), epsilon(130) * 1.1);
}

const std::vector<Mechanism>& one_of_each() {
  static const std::vector<Mechanism> all = {
      SampledGaussian{.rate = 0.03, .noise_multiplier = 1.1},
      SampledGaussian{.rate = 1, .noise_multiplier = 9},
      SampledGaussian{.rate = 0.02, .noise_multiplier = 2, .examples = 3},
      ReplacedExample{.rate = 0.03, .noise_multiplier = 1.1},
      TruncatedBatch{.rate = 0.03, .noise_multiplier = 1.1, .records = 1000, .largest_batch = 40},
      SampledLaplace{.rate = 0.1, .scale = 2},
      SampledLaplace{.rate = 1, .scale = 10},
      DiscreteLaplace{.decay = 0.1, .sensitivity = 2},
      DiscreteGaussian{.sigma = 8, .sensitivity = 1}};
  return all;
}

TEST(PldAccountant, NFoldCompositionIsNTimesOneFoldForEveryMechanism) {
  for (const Mechanism& mechanism : one_of_each()) {
    PldAccountant one_by_one;
    for (int i = 0; i < 40; ++i)
      ASSERT_TRUE(one_by_one.add(mechanism, 1).ok());
    EXPECT_EQ(one_by_one.epsilon(1e-6), accountant(mechanism, 40).epsilon(1e-6));
    // Parts of nearly the same mechanism are composed one after the other, not to a power.
    Mechanism nearly = mechanism;
    std::visit(
        [](auto& m) {
          if constexpr (requires { m.noise_multiplier; }) m.noise_multiplier *= 1 + 1e-12;
          if constexpr (requires { m.scale; }) m.scale *= 1 + 1e-12;
          if constexpr (requires { m.decay; }) m.decay *= 1 + 1e-12;
          if constexpr (requires { m.sigma; }) m.sigma *= 1 + 1e-12;
        },
        nearly);
    PldAccountant halves = accountant(mechanism, 20);
    ASSERT_TRUE(halves.add(nearly, 20).ok());
    EXPECT_NEAR(halves.epsilon(1e-6), accountant(mechanism, 40).epsilon(1e-6), 1e-6)
        << mechanism.index();
  }
}

// Neither direction is always the larger one (Lebeda et al. 2024). Outputs in bins are
// post-processing, so that what is added up here is below the truth.
TEST(PldAccountant, TakesTheLargerOfBothDirections) {
  constexpr double kRate = 0.5;
  constexpr double kScale = 2;
  constexpr double kEpsilon = 0.09;
  const auto below = [](double x) {
    return x < 0 ? std::exp(x / kScale) / 2 : 1 - std::exp(-x / kScale) / 2;
  };
  std::vector<double> with;
  std::vector<double> without;
  for (double x = -30; x < 31; x += 0.05) {
    without.push_back(below(x + 0.05) - below(x));
    with.push_back((1 - kRate) * without.back() + kRate * (below(x - 0.95) - below(x - 1)));
  }
  double remove = 0;
  double add = 0;
  for (std::size_t i = 0; i < with.size(); ++i) {
    for (std::size_t j = 0; j < with.size(); ++j) {
      const double p = with[i] * with[j];
      const double q = without[i] * without[j];
      remove += std::max(0.0, p - std::exp(kEpsilon) * q);
      add += std::max(0.0, q - std::exp(kEpsilon) * p);
    }
  }
  EXPECT_LT(remove, 0.1);
  ASSERT_GT(add, 0.1);
  const PldAccountant two = accountant(SampledLaplace{.rate = kRate, .scale = kScale}, 2);
  EXPECT_GE(two.epsilon(0.1), kEpsilon);
  EXPECT_LE(two.epsilon(0.1), 0.1);
}

TEST(PldAccountant, MoreOfAnythingCostsMore) {
  for (const Mechanism& mechanism : one_of_each()) {
    EXPECT_LT(accountant(mechanism, 10).epsilon(1e-6), accountant(mechanism, 20).epsilon(1e-6));
    EXPECT_LT(accountant(mechanism, 10).epsilon(1e-6), accountant(mechanism, 10).epsilon(1e-8));
  }
}

TEST(PldAccountant, GaussiansWithoutSamplingAreTheClosedForm) {
  EXPECT_EQ(gaussian(1, 3, 9).epsilon(1e-5), gaussian_epsilon(1, 1e-5));
  const double on_grid = gaussian(1, 3, 9).epsilon_at(1e-3, 1e-5);
  EXPECT_GE(on_grid, gaussian_epsilon(1, 1e-5));
  EXPECT_LE(on_grid, gaussian_epsilon(1, 1e-5) + 1e-5);
}

TEST(PldAccountant, SmallDeltaIsAsPreciseAsAnyOther) {
  for (const double delta : {1e-2, 1e-8, 1e-16, 1e-32, 1e-64}) {
    const double exact = gaussian_epsilon(0.7, delta);
    const double found = gaussian(1, 7, 100).epsilon_at(1e-3, delta);
    EXPECT_GE(found, exact) << delta;
    EXPECT_LE(found, exact * (1 + 1e-5)) << delta;
    EXPECT_LE(gaussian(0.01, 1, 1000).epsilon(delta), rdp_epsilon(0.01, 1, 1000, delta)) << delta;
  }
}

TEST(PldAccountant, LargeDeltaNeedsNoEpsilon) {
  EXPECT_EQ(gaussian(0.01, 4, 10).epsilon(0.5), 0);
  EXPECT_EQ(PldAccountant().epsilon(1e-9), 0);
  EXPECT_EQ(gaussian(0.01, 1, 0).epsilon(1e-9), 0);
}

TEST(PldAccountant, WhatItCannotCarryIsInfinite) {
  EXPECT_EQ(gaussian(0.01, 1e-3, 1).epsilon(1e-5), kInfinity) << "a loss of 10^6 in one step";
  EXPECT_EQ(gaussian(0.01, 1, 1000).epsilon(1e-300), kInfinity);
  EXPECT_EQ(gaussian(0.01, 1, 1000).epsilon_at(1e-9, 1e-5), kInfinity) << "too many points";
}

TEST(PldAccountant, RefusesParametersOutOfRange) {
  PldAccountant out;
  const double nan = std::nan("");
  for (const double rate : {0.0, -0.1, 1.0001, nan})
    EXPECT_FALSE(out.add(SampledGaussian{.rate = rate, .noise_multiplier = 1}, 1).ok());
  for (const double width : {0.0, -1.0, nan, kInfinity}) {
    EXPECT_FALSE(out.add(SampledGaussian{.noise_multiplier = width}, 1).ok());
    EXPECT_FALSE(out.add(ReplacedExample{.noise_multiplier = width}, 1).ok());
    EXPECT_FALSE(out.add(SampledLaplace{.scale = width}, 1).ok());
    EXPECT_FALSE(out.add(DiscreteLaplace{.decay = width}, 1).ok());
    EXPECT_FALSE(out.add(DiscreteGaussian{.sigma = width}, 1).ok());
  }
  EXPECT_FALSE(out.add(SampledGaussian{.noise_multiplier = 1, .examples = 0}, 1).ok());
  EXPECT_FALSE(out.add(TruncatedBatch{.noise_multiplier = 1, .largest_batch = 1}, 1).ok());
  EXPECT_FALSE(out.add(TruncatedBatch{.noise_multiplier = 1, .records = 1}, 1).ok());
  EXPECT_FALSE(out.add(DiscreteLaplace{.decay = 1, .sensitivity = 0}, 1).ok());
  EXPECT_EQ(out.epsilon(1e-5), 0) << "nothing was added";
}

}  // namespace
}  // namespace sotto::privacy

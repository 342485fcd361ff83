#include "common/privacy/accounting/loss_grid.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "common/privacy/accounting/analytic_gaussian.h"
#include "common/privacy/accounting/loss_composition.h"

namespace sotto::privacy {
namespace {

constexpr double kSigma = 1.3;

LossGrids gaussian_grids(double interval, double tail) {
  return discretise(SampledGaussian{.rate = 1, .noise_multiplier = kSigma}, interval, tail).value();
}

/// delta(epsilon) of one release on the grid.
double delta_at(const LossGrid& grid, double epsilon) {
  double out = grid.infinite;
  for (std::size_t i = 0; i < grid.mass.size(); ++i)
    out += grid.mass[i] * std::max(0.0, -std::expm1(epsilon - grid.loss(i)));
  return out;
}

TEST(LossGrid, HasTheWholeMassOfBothDistributions) {
  for (const double tail : {1e-3, 1e-9, 1e-15}) {
    const LossGrids grids = gaussian_grids(0.01, tail);
    for (const LossGrid& one : {grids.remove, grids.add}) {
      const double sum = std::accumulate(one.mass.begin(), one.mass.end(), one.infinite);
      EXPECT_GE(sum, 1);
      EXPECT_LE(sum, 1 + 1e-9);
      EXPECT_GE(one.infinite, 0);
      EXPECT_LE(one.infinite, tail);
    }
  }
}

TEST(LossGrid, AtItsPointsDeltaIsTheExactOneAndBetweenThemNeverBelow) {
  for (const double tail : {1e-3, 1e-15}) {
    const LossGrids grids = gaussian_grids(0.05, tail);
    for (const LossGrid& one : {grids.remove, grids.add}) {
      for (int i = 0; i < 200; ++i) {
        const double epsilon = 0.0125 * i;
        const double exact = std::exp(gaussian_log_delta(kSigma, epsilon));
        EXPECT_GE(delta_at(one, epsilon), exact * (1 - 1e-12)) << epsilon;
        if (i % 4 == 0) {
          EXPECT_LE(delta_at(one, epsilon), exact * (1 + 1e-9) + tail) << epsilon;
        }
      }
    }
  }
}

TEST(LossGrid, WhatTheRangeLeavesOutCountsAsABreach) {
  const LossGrid grid = gaussian_grids(0.01, 1e-3).remove;
  ASSERT_GT(grid.infinite, 1e-5);
  const auto epsilon = [&](double delta, std::uint64_t count) {
    return composed_epsilon({{.loss = grid, .count = count}}, delta).value();
  };
  EXPECT_TRUE(std::isinf(epsilon(0.9 * grid.infinite, 1)));
  EXPECT_TRUE(std::isfinite(epsilon(1.1 * grid.infinite, 1)));
  EXPECT_TRUE(std::isinf(epsilon(1.1 * grid.infinite, 2)));
  EXPECT_GE(epsilon(0.01, 1), gaussian_epsilon(kSigma, 0.01));
}

TEST(LossGrid, RefusesMoreThanItCanHold) {
  EXPECT_FALSE(discretise(SampledGaussian{.noise_multiplier = 1}, 1e-9, 1e-9).ok());
  EXPECT_FALSE(discretise(SampledGaussian{.noise_multiplier = 1e-3}, 1e-1, 1e-9).ok());
  EXPECT_FALSE(discretise(SampledGaussian{.noise_multiplier = -1}, 1e-1, 1e-9).ok());
}

}  // namespace
}  // namespace sotto::privacy

#include "common/privacy/accounting/analytic_gaussian.h"

#include <cmath>
#include <fstream>
#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/check.h"

namespace sotto::privacy {
namespace {

TEST(AnalyticGaussian, EqualsTheFiftyDigitTable) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/dp/d_analytic_gaussian_public.json");
  const nlohmann::json table = nlohmann::json::parse(in);
  std::map<std::string, std::size_t> seen;
  for (const auto& row : table.at("rows")) {
    const std::string kind = row["kind"];
    ++seen[kind];
    if (kind == "sigma_from_eps_delta") {
      const double expected = row["sigma_mpmath50"];
      EXPECT_NEAR(gaussian_sigma(row["eps"], row["delta"]), expected, 1e-9 * expected) << row;
    } else if (kind == "delta_from_sigma_eps") {
      const double expected = row["log_delta_mpmath50"];
      EXPECT_NEAR(gaussian_log_delta(row["sigma"], row["eps"]), expected, 1e-9 * std::abs(expected))
          << row;
    } else {
      const double expected = row["eps"];
      EXPECT_NEAR(gaussian_epsilon(row["sigma"], row["delta"]), expected, 1e-9 * expected) << row;
    }
  }
  EXPECT_EQ(seen.size(), 3U);
  for (const auto& [kind, count] : seen)
    EXPECT_GE(count, 30U) << kind;
}

TEST(AnalyticGaussian, ItsThreeFormsAgree) {
  for (const double sigma : {0.05, 0.3, 1.0, 20.0, 1000.0}) {
    for (const double delta : {1e-3, 1e-9, 1e-60}) {
      const double epsilon = gaussian_epsilon(sigma, delta);
      if (epsilon == 0) continue;
      EXPECT_LE(gaussian_log_delta(sigma, epsilon), std::log(delta));
      EXPECT_NEAR(gaussian_sigma(epsilon, delta), sigma, 1e-9 * sigma);
    }
  }
}

}  // namespace
}  // namespace sotto::privacy

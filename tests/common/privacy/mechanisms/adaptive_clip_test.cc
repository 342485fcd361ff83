#include "common/privacy/mechanisms/adaptive_clip.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {
namespace {

nlohmann::json reference(const char* part) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/dp/adaptive_clip.json");
  nlohmann::json rows = nlohmann::json::parse(in).at(part);
  SOTTO_CHECK(rows.size() >= 2, "the table is missing");
  return rows;
}

// The reference integrates the pair (sum, count) in two dimensions and knows no formula for it.
TEST(AdaptiveClip, SumAndCountTogetherAreWorthTheNoiseMultiplierThatIsAccounted) {
  for (const auto& row : reference("noise")) {
    const AdaptiveNoise noise = adaptive_noise(row["z"], row["count_multiplier"]);
    const double gradient = row["sigma_gradient"];
    EXPECT_NEAR(noise.gradient_multiplier, gradient, 1e-4 * gradient) << row;
    EXPECT_EQ(noise.count_deviation, row["sigma_count"].get<double>());
    const DpSgdSteps charged{.sampling_rate = row["q"], .noise_multiplier = row["z"], .steps = 1};
    EXPECT_NEAR(epsilon_of(charged, row["delta"]).value(), row["epsilon"].get<double>(), 2e-3)
        << row;
  }
}

TEST(AdaptiveClip, TheGradientAlwaysGetsMoreNoiseThanWithoutACount) {
  for (const double z : {0.1, 1.0, 30.0})
    for (const double count : {0.51, 1.0, 10.0, 1000.0})
      EXPECT_GT(adaptive_noise(z, count).gradient_multiplier, z);
}

TEST(AdaptiveClip, TheNormFollowsTheReferencesTrace) {
  for (const auto& row : reference("trace")) {
    double norm = row["first_norm"];
    for (std::size_t i = 0; i < row["norms"].size(); ++i) {
      norm = next_clipping_norm({.norm = norm,
                                 .first_norm = row["first_norm"],
                                 .noisy_count = row["noisy_counts"][i],
                                 .expected_size = row["size"],
                                 .quantile = row["quantile"],
                                 .rate = row["rate"]});
      EXPECT_NEAR(norm, row["norms"][i].get<double>(), 1e-12) << i;
    }
  }
}

TEST(AdaptiveClip, NoNoiseDrivesTheNormOutOfReach) {
  QuantileStep step{.norm = 1, .first_norm = 1, .expected_size = 1, .quantile = 0.5, .rate = 10};
  for (const double count : {-1e9, 1e9}) {
    step.noisy_count = count;
    for (int i = 0; i < 100; ++i)
      step.norm = next_clipping_norm(step);
    EXPECT_EQ(step.norm, count < 0 ? 1e4 : 1e-4);
  }
}

}  // namespace
}  // namespace sotto::privacy

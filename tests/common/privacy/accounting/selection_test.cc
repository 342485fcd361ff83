#include "common/privacy/accounting/selection.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sotto::privacy {
namespace {

RandomTries tries_of(const nlohmann::json& row) {
  const nlohmann::json& shape = row.at("shape");
  const TriesLaw law = shape == "inf" ? TriesLaw::kPoisson
                       : shape == 0   ? TriesLaw::kLogarithmic
                                      : TriesLaw::kGeometric;
  return {.law = law, .mean = row.at("mean")};
}

TEST(Selection, EqualsThePublishedTable) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/dp/h_userlevel_adjacency_tuning_public.json");
  const nlohmann::json rows = nlohmann::json::parse(in).at("rows");
  std::size_t seen = 0;
  for (const auto& row : rows) {
    if (row.at("kind") != "hyperparameter_repeat_and_select") continue;
    const DpSgdSteps run{
        .sampling_rate = row["q"], .noise_multiplier = row["sigma"], .steps = row["T"]};
    const double expected = row["eps"];
    EXPECT_NEAR(epsilon_of_selection(run, tries_of(row), row["delta"]).value(), expected,
                1e-4 * expected)
        << row;
    ++seen;
  }
  EXPECT_EQ(seen, 13U);
}

TEST(Selection, CostsMoreThanOneTryAndFarLessThanAll) {
  const DpSgdSteps one{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 1000};
  const DpSgdSteps all{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 100000};
  const double best = epsilon_of_selection(one, {.mean = 100}, 1e-5).value();
  EXPECT_GT(best, epsilon_of({&one, 1}, 1e-5, accountants::rdp).value());
  EXPECT_LT(best, epsilon_of({&all, 1}, 1e-5, accountants::rdp).value() / 3);
}

TEST(Selection, RefusesWhatItHasNoBoundFor) {
  const DpSgdSteps one{.sampling_rate = 0.01, .noise_multiplier = 1, .steps = 10};
  EXPECT_FALSE(epsilon_of_selection(one, {.mean = 1}, 1e-5).ok());
  EXPECT_FALSE(epsilon_of_selection(one, {.mean = 10}, 0).ok());
  EXPECT_FALSE(epsilon_of_selection({.sampling_rate = 2}, {.mean = 10}, 1e-5).ok());
}

}  // namespace
}  // namespace sotto::privacy

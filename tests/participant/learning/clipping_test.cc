// What a step's sensitivity rests on: no rule of clipping lets one example change the sum of
// gradients, or the count, by more than its noise is made for.
#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "participant/learning/dp_sgd/clipping_torch.h"
#include "participant/learning/transformer/model_modules.h"
#include "tests/participant/learning/test_device.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

using at::Tensor;

constexpr std::size_t kExamples = 12;
constexpr double kNorm = 0.05;  // most gradients are longer, some are not

class ClippingRules : public ::testing::TestWithParam<config::Clipping> {
 protected:
  void SetUp() override {
    at::manual_seed(3);
    settings_.clipping = GetParam();
    settings_.clipping_norm = kNorm;
    ModelSpec spec = classifier_spec(kVectors / "bert", 3);
    model_ = model_from(kVectors / "bert", spec);
    const at::NoGradGuard no_grad;
    model_->values().add_(on_device(at::randn(model_->values().sizes())),
                          0.1);  // a head of zeros hides the rest
    for (std::size_t i = 0; i < kExamples; ++i) {
      Sequence text{{}, static_cast<std::int64_t>(i % 3)};
      for (std::size_t t = 0; t < 2 + i % 5; ++t)
        text.ids.push_back(static_cast<std::int32_t>(
            at::randint(spec.config.vocab_size, {1}).item<std::int64_t>()));
      texts_.push_back(std::move(text));
    }
  }

  struct Released {
    Tensor sum;  // before noise
    double count;
  };

  /// All examples but one, in physical batches of five. Their losses differ in size by 1e6.
  [[nodiscard]] Released without(std::size_t left_out) {
    Clipping clipping(settings_, model_->parameters());
    model_->gradient().zero_();
    std::vector<Sequence> chunk;
    std::vector<float> scales;
    const auto flush = [&] {
      if (chunk.empty()) return;
      GradTape tape;
      tape.backward(
          (losses_of(*model_, batch_of(chunk), {&tape}) * on_device(at::tensor(scales))).sum());
      const SquaredNorms norms = tape.squared_norms(model_->parameters());
      tape.accumulate(model_->parameters(), clipping.factors(norms.bound));
      chunk.clear();
      scales.clear();
    };
    for (std::size_t i = 0; i < kExamples; ++i) {
      if (i == left_out) continue;
      chunk.push_back(texts_[i]);
      scales.push_back(i % 4 == 3 ? 1e-4F : i % 4 == 2 ? 100.0F : 1.0F);
      if (chunk.size() == 5) flush();
    }
    flush();
    return {model_->gradient().to(at::kDouble), clipping.count()};
  }

  config::DifferentialPrivacySection settings_;
  std::unique_ptr<Transformer> model_;
  std::vector<Sequence> texts_;
};

INSTANTIATE_TEST_SUITE_P(Rules, ClippingRules,
                         ::testing::Values(config::Clipping::kFlat, config::Clipping::kAutomatic,
                                           config::Clipping::kPerLayer,
                                           config::Clipping::kAdaptive),
                         [](const auto& rule) { return std::string(config::word_of(rule.param)); });

TEST_P(ClippingRules, RemovingAnyExampleMovesTheSumByAtMostTheNorm) {
  const Released all = without(kExamples);
  double most = 0;
  for (std::size_t i = 0; i < kExamples; ++i) {
    const double moved = (all.sum - without(i).sum).norm().item<double>();
    EXPECT_LE(moved, kNorm * (1 + 1e-6)) << "example " << i;
    EXPECT_GT(moved, 0) << "example " << i << " plays no part";
    most = std::max(most, moved);
  }
  EXPECT_GT(most, 0.9 * kNorm) << "nothing came near the bound, so it was not tested";
}

TEST_P(ClippingRules, RemovingAnyExampleMovesTheCountByOneHalf) {
  const double all = without(kExamples).count,
               moved = GetParam() == config::Clipping::kAdaptive ? 0.5 : 0.0;
  for (std::size_t i = 0; i < kExamples; ++i)
    EXPECT_EQ(std::abs(all - without(i).count), moved) << "example " << i;
}

TEST_P(ClippingRules, AnEmptyStepMovesAnAdaptiveNormByItsNoiseAlone) {
  Clipping clipping(settings_, model_->parameters());
  crypto::StreamRandom random(1);
  clipping.finish({.noise_multiplier = 1, .expected_size = 100}, random);
  if (GetParam() == config::Clipping::kAdaptive)
    EXPECT_NE(clipping.norm(), kNorm);
  else
    EXPECT_EQ(clipping.norm(), kNorm);
  EXPECT_EQ(clipping.count(), 0);
}

/// Two modules with a bias each and an adapted one: three groups.
std::vector<Parameter> some_parameters() {
  std::vector<Parameter> out;
  for (const char* name : {"a.first.weight", "a.first.bias", "a.second.weight", "a.second.bias",
                           "a.query.lora_A.weight", "a.query.lora_B.weight"})
    out.push_back({name, at::zeros({1}), at::zeros({1})});
  return out;
}

TEST(PerLayerClipping, EveryModuleHasItsShareAndTheWholeIsTheNorm) {
  Clipping clipping({.clipping_norm = 3, .clipping = config::Clipping::kPerLayer},
                    some_parameters());
  // Weight and bias of 3 and 4 are 5 together; the others are within their share of 3 / sqrt(3).
  const Tensor norms = at::tensor({9.0, 16.0, 1.0, 0.0, 1e8, 1e8}, at::kDouble).unsqueeze(1);
  const Tensor factors = clipping.factors(norms).to(at::kDouble);
  const double share = std::sqrt(3.0);
  EXPECT_NEAR(factors[0].item<double>(), share / 5, 1e-5);
  EXPECT_EQ(factors[0].item<double>(), factors[1].item<double>());
  EXPECT_EQ(factors[2].item<double>(), 1.0);
  EXPECT_NEAR(factors[4].item<double>(), share / std::sqrt(2e8), 1e-8);
  EXPECT_EQ(factors[4].item<double>(), factors[5].item<double>());
  EXPECT_EQ(clipping.norm(), 3);
  EXPECT_EQ(clipping.noise_deviation(2), 6);
}

TEST(AdaptiveClipping, TheNoiseFollowsTheNormAndCarriesTheCountsShare) {
  Clipping clipping(
      {.clipping_norm = 2, .clipping = config::Clipping::kAdaptive, .count_noise_multiplier = 1},
      some_parameters());
  EXPECT_NEAR(clipping.noise_deviation(3), 2 * 3 / std::sqrt(0.75), 1e-12);
}

TEST(AdaptiveClipping, FindsTheQuantileOfTheNorms) {
  Clipping clipping(
      {.clipping_norm = 0.001, .clipping = config::Clipping::kAdaptive, .clipping_quantile = 0.75},
      some_parameters());
  crypto::StreamRandom random(5);
  // Norms evenly spread over (0, 8): three quarters of them are below 6.
  const Tensor squares = at::zeros({6, 1000}, at::kDouble);
  squares[0] = (at::arange(1000, at::kDouble) / 125).square();
  for (int step = 0; step < 300; ++step) {
    clipping.factors(squares);
    clipping.finish({.noise_multiplier = 1, .expected_size = 1000}, random);
  }
  EXPECT_NEAR(clipping.norm(), 6, 0.3);
}

// Four thousand steps from the same start: the next norm's logarithm has the count's noise in it.
TEST(AdaptiveClipping, TheCountIsReleasedWithTheNoiseThatIsAccounted) {
  const config::DifferentialPrivacySection settings{.clipping_norm = 1,
                                                    .clipping = config::Clipping::kAdaptive,
                                                    .clipping_rate = 0.1,
                                                    .count_noise_multiplier = 5};
  crypto::StreamRandom random(6);
  double sum = 0, squares = 0;
  constexpr int kSteps = 4000;
  for (int i = 0; i < kSteps; ++i) {
    Clipping clipping(settings, some_parameters());
    clipping.factors(at::full({6, 10}, 100.0, at::kDouble));  // ten examples, none within
    clipping.finish({.noise_multiplier = 2, .expected_size = 1000}, random);
    const double count = -(std::log(clipping.norm()) / 0.1) * 1000;
    sum += count;
    squares += count * count;
  }
  const double mean = sum / kSteps, deviation = std::sqrt(squares / kSteps - mean * mean);
  EXPECT_NEAR(mean, -5, 0.8);       // five standard errors
  EXPECT_NEAR(deviation, 10, 0.6);  // 2 * 5
}

// The noise of a count is on a grid. Were it added to the count, instead of the two rounded to the
// grid together, the count's own fraction would be seen: here, every released count would be half
// an integer with an odd number of examples and an integer with an even one.
TEST(AdaptiveClipping, TheReleasedCountDoesNotShowTheLastBitsOfTheCount) {
  const config::DifferentialPrivacySection settings{.clipping_norm = 1,
                                                    .clipping = config::Clipping::kAdaptive,
                                                    .clipping_rate = 0.1,
                                                    .count_noise_multiplier = 100};
  crypto::StreamRandom random(7);
  for (const std::int64_t examples : {10, 11})
    for (int i = 0; i < 50; ++i) {
      Clipping clipping(settings, some_parameters());
      clipping.factors(at::full({6, examples}, 100.0, at::kDouble));
      clipping.finish({.noise_multiplier = 1, .expected_size = 1000}, random);
      const double count = -(std::log(clipping.norm()) / 0.1) * 1000;
      EXPECT_NEAR(count, std::round(count), 1e-6) << examples;  // 100 / 64 or more: a grid of 1
    }
}

TEST(ClippingRule, NeverLetsAContributionExceedTheNorm) {
  Clipping clipping({.clipping_norm = 1}, some_parameters());
  const Tensor norms = at::rand({10000}, at::kDouble) * 10;
  const Tensor squares = at::zeros({6, 10000}, at::kDouble);
  squares[3] = norms.square();
  const Tensor scaled = norms * clipping.factors(squares)[3];
  EXPECT_LE(scaled.max().item<double>(), 1.0);
  EXPECT_GT(scaled.max().item<double>(), 1 - 1e-5);
}

TEST(ClippingRule, AutomaticBringsShortGradientsNearTheNormAndNoneBeyondIt) {
  Clipping clipping({.clipping_norm = 2, .clipping = config::Clipping::kAutomatic},
                    some_parameters());
  const Tensor norms = at::tensor({0.0, 1e-6, 0.04, 0.5, 3.0, 1e6}, at::kDouble);
  const Tensor squares = at::zeros({6, 6}, at::kDouble);
  squares[0] = norms.square();
  const Tensor scaled = norms * clipping.factors(squares)[0];
  EXPECT_LE(scaled.max().item<double>(), 2.0);
  EXPECT_EQ(scaled[0].item<double>(), 0.0);
  EXPECT_NEAR(scaled[2].item<double>(), 2 * 0.04 / 0.05, 1e-4);
  EXPECT_NEAR(scaled[3].item<double>(), 2 * 0.5 / 0.51, 1e-4);
  EXPECT_GT(scaled[5].item<double>(), 1.9999);
}

}  // namespace
}  // namespace sotto::learning

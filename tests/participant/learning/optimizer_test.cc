// The participant's optimizer against the formulas of its papers, by hand.
#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "participant/learning/dp_sgd/optimizer_torch.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

constexpr double kRate = 0.1;

std::vector<double> after_steps(const config::LocalTrainingSection& settings,
                                const std::vector<double>& gradients) {
  const at::Tensor values = on_device(at::tensor({2.0, -3.0}, at::kDouble));
  Optimizer optimizer(settings);
  for (const double g : gradients)
    optimizer.step(values, on_device(at::tensor({g, -g}, at::kDouble)), kRate);
  return {values[0].item<double>(), values[1].item<double>()};
}

TEST(Optimizer, WeightDecayTakesItsShareOfTheValueNotOfTheGradient) {
  const auto decayed =
      after_steps({.optimizer = config::LocalOptimizer::kSgd, .weight_decay = 0.5}, {1, 1});
  double x = 2;
  for (int step = 0; step < 2; ++step)
    x = x * (1 - kRate * 0.5) - kRate;
  EXPECT_NEAR(decayed[0], x, 1e-12);
  EXPECT_NEAR(decayed[1], -3 * std::pow(1 - kRate * 0.5, 2) + kRate * (1 - kRate * 0.5) + kRate,
              1e-12);
}

TEST(Optimizer, AdamWithWeightDecayIsAdamW) {
  // The first step of Adam is the sign of the gradient, whatever its size and the decay.
  for (const double g : {1e-3, 1.0, 50.0}) {
    const auto decayed =
        after_steps({.optimizer = config::LocalOptimizer::kAdam, .weight_decay = 0.5}, {g});
    EXPECT_NEAR(decayed[0], 2 * (1 - kRate * 0.5) - kRate, 1e-5);
  }
}

TEST(Optimizer, MomentumRemembersEarlierGradients) {
  const auto moved =
      after_steps({.optimizer = config::LocalOptimizer::kSgd, .momentum = 0.9}, {1, 0});
  EXPECT_NEAR(moved[0], 2 - kRate - 0.9 * kRate, 1e-12);
}

TEST(Schedule, FallsAndStaysPositive) {
  for (const auto schedule :
       {config::LearningRateSchedule::kLinear, config::LearningRateSchedule::kCosine}) {
    const config::LocalTrainingSection settings{.learning_rate = 1,
                                                .learning_rate_schedule = schedule};
    EXPECT_EQ(scheduled_rate(settings, 0, 10), 1) << config::word_of(schedule);
    EXPECT_NEAR(scheduled_rate(settings, 5, 10), 0.5, 1e-12) << config::word_of(schedule);
    EXPECT_GT(scheduled_rate(settings, 9, 10), 0) << config::word_of(schedule);
  }
}

}  // namespace
}  // namespace sotto::learning

#include "participant/learning/dp_sgd/optimizer_torch.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "common/base/check.h"

namespace sotto::learning {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

}  // namespace

double scheduled_rate(const config::LocalTrainingSection& settings, std::uint64_t step,
                      std::uint64_t total) {
  const double done = static_cast<double>(step) / static_cast<double>(total);
  switch (settings.learning_rate_schedule) {
    case config::LearningRateSchedule::kConstant:
      return settings.learning_rate;
    case config::LearningRateSchedule::kLinear:
      return settings.learning_rate * (1 - done);
    case config::LearningRateSchedule::kCosine:
      return settings.learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
  SOTTO_CHECK(false, "no such schedule");
}

Optimizer Optimizer::clone() const {
  Optimizer copy = *this;
  if (first_.defined()) copy.first_ = first_.clone();
  if (second_.defined()) copy.second_ = second_.clone();
  return copy;
}

void Optimizer::step(const at::Tensor& values, const at::Tensor& gradient, double rate) {
  const at::NoGradGuard no_grad;
  ++steps_;
  if (settings_.weight_decay > 0) values.mul_(1 - rate * settings_.weight_decay);
  switch (settings_.optimizer) {
    case config::LocalOptimizer::kAdam:
      return adam(values, gradient, rate);
    case config::LocalOptimizer::kSgd:
      return sgd(values, gradient, rate);
  }
}

void Optimizer::adam(const at::Tensor& values, const at::Tensor& gradient, double rate) {
  if (!first_.defined()) {
    first_ = at::zeros_like(gradient);
    second_ = at::zeros_like(gradient);
  }
  const auto t = static_cast<double>(steps_);
  first_.mul_(kBeta1).add_(gradient, 1 - kBeta1);
  second_.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
  const double bias1 = 1 - std::pow(kBeta1, t), bias2 = 1 - std::pow(kBeta2, t);
  const at::Tensor scale = second_.sqrt().div_(std::sqrt(bias2)).add_(kEpsilon);
  values.addcdiv_(first_, scale, -rate / bias1);
}

void Optimizer::sgd(const at::Tensor& values, const at::Tensor& gradient, double rate) {
  if (settings_.momentum == 0) {
    values.add_(gradient, -rate);
    return;
  }
  if (!first_.defined()) first_ = at::zeros_like(gradient);
  first_.mul_(settings_.momentum).add_(gradient);
  values.add_(first_, -rate);
}

}  // namespace sotto::learning

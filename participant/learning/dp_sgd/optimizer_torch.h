// Optimizer implements Adam and SGD with momentum, both with decoupled weight decay (Loshchilov and
// Hutter 2019), on one flat vector. scheduled_rate() is the learning-rate schedule over a whole
// job.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "common/config/job.h"

namespace sotto::learning {

/// Returns the learning rate of step `step` (from 0) of `total`. "linear" and "cosine" fall towards
/// 0 and stay positive at the last step.
double scheduled_rate(const config::LocalTrainingSection& settings, std::uint64_t step,
                      std::uint64_t total);

class Optimizer {
 public:
  explicit Optimizer(const config::LocalTrainingSection& settings) : settings_(settings) {}

  /// Returns an independent copy with the same state.
  [[nodiscard]] Optimizer clone() const;

  /// Computes values -= rate * (direction(gradient) + weight decay * values), in place.
  void step(const at::Tensor& values, const at::Tensor& gradient, double rate);

 private:
  void adam(const at::Tensor& values, const at::Tensor& gradient, double rate);
  void sgd(const at::Tensor& values, const at::Tensor& gradient, double rate);

  config::LocalTrainingSection settings_;
  at::Tensor first_, second_;  // moments; undefined before the first step
  std::uint64_t steps_ = 0;
};

}  // namespace sotto::learning

// Clipping scales each example's gradient to its bound and determines the noise that this bound
// needs. docs/privacy.md, "The mechanism". Use from one thread.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "common/config/job.h"
#include "common/crypto/secure_random.h"
#include "participant/learning/dp_sgd/grad_tape_torch.h"

namespace sotto::learning {

/// The job's clipping rule:
///   flat       min(1, C / norm) over all parameters together (Abadi et al. 2016)
///   automatic  C / (norm + 0.01), which scales short gradients up (AUTO-S, Bu et al. 2023)
///   per_layer  flat within each of L groups, a module's weight, bias and adapters each, at
///              C / sqrt(L), so that the whole gradient stays within C
///   adaptive   flat at a norm that follows a quantile of the norms (Andrew et al. 2021)
/// Has value semantics: a copy is independent.
class Clipping {
 public:
  Clipping(const config::DifferentialPrivacySection& settings,
           const std::vector<Parameter>& trainable);

  /// Returns a factor for each parameter and example, float32 [P,B], with which no example's
  /// contribution exceeds norm(). `squared_bounds` are upper bounds of the squared norms [P,B],
  /// GradTape's `bound`. An example with a bound that is not finite gets a factor of zero for every
  /// parameter. All others get more than zero unless a norm is beyond float32. Includes the
  /// examples in the count of this step.
  ///
  /// `weights`, double [B], multiplies the factors and what the examples add to the count.
  /// Undefined: all weights are 1. Where the weights of a unit's examples add up to 1, the unit's
  /// contribution to the sum of gradients does not exceed norm(), by the triangle inequality.
  at::Tensor factors(const at::Tensor& squared_bounds, const at::Tensor& weights = {});

  /// C: the most that one unit can change the sum of gradients in this step.
  [[nodiscard]] double norm() const { return norm_; }

  /// The sum over this step's examples of their weight times +1/2 if the gradient was within
  /// norm(), else -1/2; one unit changes it by 1/2. It is not private; only "adaptive" releases it,
  /// with noise.
  [[nodiscard]] double count() const { return count_; }

  /// The standard deviation of the noise on each value of the sum, so that the whole step has
  /// `noise_multiplier`.
  [[nodiscard]] double noise_deviation(double noise_multiplier) const;

  /// The parameters of one step, from which the norm of the next one follows.
  struct Step {
    double noise_multiplier = 0;
    double expected_size = 0;  // expected number of units in the batch
  };

  /// Call once after the noise of each step, including an empty one. Adapts an adaptive norm by the
  /// noisy count.
  void finish(const Step& step, crypto::StreamRandom& random);

 private:
  [[nodiscard]] bool is_adaptive() const {
    return settings_.clipping == config::Clipping::kAdaptive;
  }

  [[nodiscard]] bool scales_short_gradients() const;

  config::DifferentialPrivacySection settings_;
  at::Tensor group_of_;  // int64 [P]
  std::int64_t groups_ = 1;
  double norm_ = 0;
  double count_ = 0;
};

}  // namespace sotto::learning

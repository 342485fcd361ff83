// How each example's gradient is brought within its bound, and the noise that this bound needs.
// docs/privacy.md, "The mechanism". One thread.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "common/config/job.h"
#include "common/crypto/secure_random.h"
#include "participant/learning/dp_sgd/grad_tape_torch.h"

namespace sotto::learning {

/// The job's rule:
///   flat       min(1, C / norm) over all parameters together (Abadi et al. 2016)
///   automatic  C / (norm + 0.01), which short ones gain by (AUTO-S, Bu et al. 2023)
///   per_layer  flat within each of L groups, a module's weight, bias and adapters each, at
///              C / sqrt(L), so that the whole stays within C
///   adaptive   flat at a norm that follows a quantile of the norms (Andrew et al. 2021)
/// Values: a copy goes on by itself.
class Clipping {
 public:
  Clipping(const config::DifferentialPrivacySection& settings,
           const std::vector<Parameter>& trainable);

  /// From upper bounds of the squared norms [P,B], GradTape's `bound`, a factor for each parameter
  /// and example, float32 [P,B], with which no example's contribution exceeds norm(). An example of
  /// which a bound is not finite gets a factor of zero for every parameter; all others get more
  /// than zero unless a norm is beyond float32. Takes the examples into the count of this step.
  at::Tensor factors(const at::Tensor& squared_bounds);

  /// C: what one example can change the sum of gradients by, in this step.
  [[nodiscard]] double norm() const { return norm_; }

  /// Sum over this step's examples of +1/2 where the gradient was within norm(), else -1/2: one
  /// example changes it by 1/2. Not private; "adaptive" alone releases it, with noise.
  [[nodiscard]] double count() const { return count_; }

  /// Of the noise on each value of the sum, where the whole step is to be worth `noise_multiplier`.
  [[nodiscard]] double noise_deviation(double noise_multiplier) const;

  /// What one step was, for the norm of the next one.
  struct Step {
    double noise_multiplier = 0;
    double expected_size = 0;  // of the batch
  };

  /// Once a step, an empty one too, after its noise: moves an adaptive norm by the noisy count.
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

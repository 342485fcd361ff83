// Adaptive clipping: the clipping norm follows a quantile of the gradients' norms (Andrew, Thakkar,
// McMahan and Ramaswamy 2021, "Differentially Private Learning with Adaptive Clipping"). Each step
// also releases, with noise, the number of drawn examples within the norm. One noise multiplier
// covers both. The functions are pure; the only state is the norm.
#pragma once

#include "common/base/range.h"

namespace sotto::privacy {

/// AdaptiveNoise is the noise of a step, divided between the sum of gradients and the count.
struct AdaptiveNoise {
  double gradient_multiplier = 0;  // deviation on the sum of gradients / clipping norm
  double count_deviation = 0;      // on the sum over examples of +1/2 (within the norm) or -1/2
};

/// The range of adaptive_noise()'s `count_multiplier`.
inline constexpr Range kCountNoiseMultiplier{.min = 0.5, .max = 1000, .above_min = true};

/// Returns the noise of both releases such that together they are as private as the Gaussian
/// mechanism with `noise_multiplier` > 0 on the gradients alone, under any sampling of the
/// examples: z_g^-2 + (2 sigma_b)^-2 = z^-2, theorem 1. The deviation of the count is
/// `count_multiplier`, within kCountNoiseMultiplier (SOTTO_CHECK), times the noise multiplier.
AdaptiveNoise adaptive_noise(double noise_multiplier, double count_multiplier);

struct QuantileStep {
  double norm = 0;           // the norm that the step clipped to
  double first_norm = 0;     // the job's: the norm stays within a factor of 1e4 of it
  double noisy_count = 0;    // as released, with its noise
  double expected_size = 0;  // of the batch, > 0: a constant, never the drawn size
  double quantile = 0;       // the quantile to follow
  double rate = 0;           // of the geometric update
};

/// Returns the norm of the next step. It depends on released values only.
double next_clipping_norm(const QuantileStep& step);

}  // namespace sotto::privacy

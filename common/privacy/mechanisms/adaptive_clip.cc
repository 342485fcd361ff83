#include "common/privacy/mechanisms/adaptive_clip.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"

namespace sotto::privacy {

AdaptiveNoise adaptive_noise(double noise_multiplier, double count_multiplier) {
  SOTTO_CHECK(noise_multiplier > 0 && kCountNoiseMultiplier.contains(count_multiplier),
              "noise that cannot be shared out");
  // One example changes the count by 1/2, so its noise corresponds to a multiplier of 2 sigma_b.
  const double taken = 1 / (2 * count_multiplier);
  return {.gradient_multiplier = noise_multiplier / std::sqrt(1 - taken * taken),
          .count_deviation = noise_multiplier * count_multiplier};
}

double next_clipping_norm(const QuantileStep& step) {
  constexpr double kMaxRatio = 1e4;
  const double fraction = std::clamp(step.noisy_count / step.expected_size + 0.5, 0.0, 1.0);
  const double next = step.norm * std::exp(-step.rate * (fraction - step.quantile));
  return std::clamp(next, step.first_norm / kMaxRatio, step.first_norm * kMaxRatio);
}

}  // namespace sotto::privacy

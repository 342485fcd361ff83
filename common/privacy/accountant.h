// Renyi-DP accounting: of Poisson-subsampled Gaussian steps (example-level, add/remove-one
// adjacency), and of noise inside the aggregation (participant-level, against the zero vector); an
// accountant holds one of the two, they are never added. Rounds against us. Orders and conversion:
// docs/privacy.md; checked against published tables.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/privacy/distributed_privacy.h"

namespace sotto::privacy {

/// A homogeneous run of DP-SGD steps on one data set.
struct DpSgdSteps {
  double sampling_rate = 0;     // (0, 1]; Poisson
  double noise_multiplier = 0;  // standard deviation / clipping norm, > 0
  std::uint64_t steps = 0;
};

/// RDP of a composition at fixed orders. Add parts in any order, then ask for epsilon.
class RdpAccountant {
 public:
  RdpAccountant();
  /// An Error when a parameter is out of range; then nothing was added.
  Status add(const DpSgdSteps& steps);
  Status add(const NoisyRounds& rounds);
  /// The least epsilon over the orders at 0 < delta < 1; +infinity when no order is finite. What
  /// the samplers of noisy rounds fall short of their distribution is taken off delta.
  [[nodiscard]] double epsilon(double delta) const;
  [[nodiscard]] std::span<const double> orders() const;
  [[nodiscard]] std::span<const double> rdp() const;

 private:
  std::vector<double> rdp_;
  double distance_ = 0;  // total variation between the noise that is drawn and that accounted for
};

/// Epsilon of one homogeneous run.
Result<double> epsilon_of(const DpSgdSteps& steps, double delta);

/// The least noise multiplier (to a relative 1e-4, rounded up) with epsilon_of(...) <=
/// target_epsilon.
Result<double> calibrate_noise_multiplier(double target_epsilon, double delta, double sampling_rate,
                                          std::uint64_t steps);

}  // namespace sotto::privacy

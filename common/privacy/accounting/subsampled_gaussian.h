// Renyi divergence of one Poisson-subsampled Gaussian step (Mironov, Talwar, Zhang 2019):
//   rdp(a) = log E[(1 - q + q exp((2z - 1) / (2 sigma^2)))^a] / (a - 1),  z ~ N(0, sigma^2),
// the larger of the two directions of add/remove-one adjacency. The function is pure and may be
// called from any thread.
#pragma once

#include <span>
#include <vector>

namespace sotto::privacy {

/// Returns one value per order (> 1), which is below the true one by rounding at most, and
/// +infinity where the computation does not converge. Requires 0 < rate <= 1 and a positive finite
/// noise multiplier.
std::vector<double> subsampled_gaussian_rdp(double rate, double noise_multiplier,
                                            std::span<const double> orders);

}  // namespace sotto::privacy

// Renyi divergence of one Gaussian step on a batch of fixed size that is drawn without replacement,
// where one record is replaced by another (Wang, Balle, Kasiviswanathan 2019, Theorem 27). The
// bound is a loose upper bound. No job samples in this way; the function serves questions about
// data loaders of other frameworks. It is pure.
#pragma once

#include <span>
#include <vector>

namespace sotto::privacy {

/// Returns an upper bound for each order (> 1). `fraction` is batch / records, 0 < fraction < 1;
/// the noise multiplier is relative to the largest change of the sum when one record of the batch
/// is replaced.
std::vector<double> fixed_size_gaussian_rdp(double fraction, double noise_multiplier,
                                            std::span<const double> orders);

}  // namespace sotto::privacy

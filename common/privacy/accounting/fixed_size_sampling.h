// Renyi divergence of one Gaussian step on a batch of fixed size, drawn without replacement, where
// one record is replaced by another (Wang, Balle, Kasiviswanathan 2019, Theorem 27). No job samples
// like that: it answers what other frameworks' loaders would have cost. A loose upper bound. Pure.
#pragma once

#include <span>
#include <vector>

namespace sotto::privacy {

/// One value per order (> 1), an upper bound. `fraction` is batch / records, 0 < fraction < 1; the
/// noise multiplier is over what replacing one record of the batch can move the sum by.
std::vector<double> fixed_size_gaussian_rdp(double fraction, double noise_multiplier,
                                            std::span<const double> orders);

}  // namespace sotto::privacy

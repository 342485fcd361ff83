// Composition of privacy losses on grids: the sum of many independent ones, and the epsilon that it
// is worth. Pure; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/result.h"
#include "common/privacy/accounting/loss_grid.h"

namespace sotto::privacy {

struct RepeatedLoss {
  LossGrid loss;
  std::uint64_t count = 0;
};

/// Where the composed loss that decides about epsilon lies, in short: enough to choose a grid.
struct LossEstimate {
  double tilt = 0;     // the order of a Renyi divergence that would tell most, less one
  double epsilon = 0;  // about, rather too high
};

LossEstimate estimate(const std::vector<RepeatedLoss>& parts, double delta);

/// The least epsilon >= 0 with delta(epsilon) <= delta for P against Q of the composition (one
/// direction only). Errors of rounding and of the Fourier transform are bounded and added to delta,
/// so this is never below the truth; +infinity where they leave no answer. The grids have one
/// interval. An Error when it is too small for the range of the sum (2^22 points).
Result<double> composed_epsilon(const std::vector<RepeatedLoss>& parts, double delta);

}  // namespace sotto::privacy

// PLD composition: the sum of many independent discretised privacy losses, and the epsilon that
// follows from it. The functions are pure and may be called from any thread.
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

/// LossEstimate says roughly where the part of the composed loss lies that determines epsilon. It
/// is used to choose a grid.
struct LossEstimate {
  double tilt = 0;     // the order, less one, of the Renyi divergence that gives the best bound
  double epsilon = 0;  // approximate; tends to be too high
};

LossEstimate estimate(const std::vector<RepeatedLoss>& parts, double delta);

/// Returns the least epsilon >= 0 with delta(epsilon) <= delta for P against Q of the composition
/// (one direction only). Errors of rounding and of the Fourier transform are bounded and added to
/// delta, so the result is never below the true value; it is +infinity where these errors use up
/// delta. All grids have the same interval. Returns an Error when the interval is too small for the
/// range of the sum (2^22 points).
Result<double> composed_epsilon(const std::vector<RepeatedLoss>& parts, double delta);

}  // namespace sotto::privacy

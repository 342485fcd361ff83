// Calibration: the noise multiplier that a privacy target requires.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::privacy {

/// PrivacyTarget is the guarantee that a run of DP-SGD has to keep.
struct PrivacyTarget {
  double epsilon = 0;
  double delta = 0;
  double sampling_rate = 0;
  std::uint64_t steps = 0;
};

/// Returns the least noise multiplier (to a relative 1e-4, rounded up) that reaches the target
/// according to the accountant. Returns an Error when a parameter is out of range or no multiplier
/// up to 1e6 is enough.
Result<double> calibrate_noise_multiplier(const PrivacyTarget& target, const AccountantKind& kind);

}  // namespace sotto::privacy

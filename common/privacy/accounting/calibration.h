// The noise that a privacy target needs.
#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::privacy {

/// What a run of DP-SGD is to keep to.
struct PrivacyTarget {
  double epsilon = 0;
  double delta = 0;
  double sampling_rate = 0;
  std::uint64_t steps = 0;
};

/// The least noise multiplier (to a relative 1e-4, rounded up) that reaches the target by this
/// accountant. An Error when a parameter is out of range or no multiplier up to 1e6 is enough.
Result<double> calibrate_noise_multiplier(const PrivacyTarget& target, const AccountantKind& kind);

}  // namespace sotto::privacy

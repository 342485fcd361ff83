// Accounting by privacy loss distribution: epsilon of any composition of the mechanisms in
// mechanism.h, within a few 1e-4 of the true value and never below it. The guarantee is at the
// example level unless a mechanism specifies another one, and is the larger of the two directions
// of the adjacency.
#pragma once

#include <cstdint>
#include <vector>

#include "common/privacy/accounting/accountant.h"

namespace sotto::privacy {

/// PldAccountant supports the mechanisms of mechanism.h and DP-SGD steps. Objects are values.
class PldAccountant final : public Accountant {
 public:
  Status add(const Releases& releases) override;
  Status add(const DpSgdSteps& steps);
  /// Adds `count` releases of a mechanism. Returns an Error and adds nothing when a parameter is
  /// out of range.
  Status add(const Mechanism& mechanism, std::uint64_t count);

  /// Returns epsilon at 0 < delta < 1, on a grid whose interval depends on the number of
  /// compositions: discretisation adds about 1e-4 of epsilon. +infinity where the composition does
  /// not fit any grid.
  [[nodiscard]] double epsilon(double delta) const override;

  /// Returns epsilon with losses discretised at this interval, as published figures state it.
  [[nodiscard]] double epsilon_at(double interval, double delta) const;

 private:
  struct Part {
    Mechanism mechanism;
    std::uint64_t count = 0;
  };

  [[nodiscard]] std::vector<Part> parts() const;

  std::vector<Part> parts_;
  /// Gaussian mechanisms without sampling compose to one: the sum of count (examples / noise
  /// multiplier)^2.
  double squared_sensitivity_ = 0;
};

}  // namespace sotto::privacy

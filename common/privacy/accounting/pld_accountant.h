// Accounting by privacy loss distribution: what any composition of the mechanisms in mechanism.h is
// worth, within a few 1e-4 of the truth and never below it. Example-level unless a mechanism says
// otherwise; the larger of the two directions of its adjacency.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/privacy/accounting/accountant.h"

namespace sotto::privacy {

/// Knows the mechanisms of mechanism.h and DP-SGD steps. A value.
class PldAccountant final : public Accountant {
 public:
  Status add(const Releases& releases) override;
  Status add(const DpSgdSteps& steps);
  /// An Error when a parameter is out of range; then nothing was added.
  Status add(const Mechanism& mechanism, std::uint64_t count);

  /// Epsilon at 0 < delta < 1 on a grid that the number of compositions asks for: discretisation
  /// adds about 1e-4 of it. +infinity where no grid carries the composition.
  [[nodiscard]] double epsilon(double delta) const override;

  /// The same with losses rounded to this interval, as published figures state it.
  [[nodiscard]] double epsilon_at(double interval, double delta) const;

 private:
  struct Part {
    Mechanism mechanism;
    std::uint64_t count = 0;
  };

  [[nodiscard]] std::vector<Part> parts() const;

  std::vector<Part> parts_;
  /// Gaussians without sampling add up to one: the sum of count (examples / noise multiplier)^2.
  double squared_sensitivity_ = 0;
};

}  // namespace sotto::privacy

// The accountant of everything that is charged or promised at the example level.
#pragma once

#include "common/privacy/accounting/accountant.h"
#include "common/privacy/accounting/pld_accountant.h"
#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {

/// ExampleAccountant returns the smaller of two upper bounds. The privacy loss distribution gives
/// the tighter one; the Renyi divergence checks it as long as the Renyi accountant supports every
/// release. Objects are values.
class ExampleAccountant final : public Accountant {
 public:
  Status add(const Releases& releases) override;
  Status add(const DpSgdSteps& steps);
  [[nodiscard]] double epsilon(double delta) const override;
  /// Returns whether epsilon(delta) <= limit. Much faster than epsilon() where the Renyi bound is
  /// enough.
  [[nodiscard]] bool within(double limit, double delta) const;

 private:
  [[nodiscard]] double renyi_epsilon(double delta) const;

  RdpAccountant rdp_;
  PldAccountant pld_;
  bool renyi_knows_all_ = true;
};

}  // namespace sotto::privacy

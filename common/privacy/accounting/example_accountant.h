// The accountant of everything that is charged or promised about one training example.
#pragma once

#include "common/privacy/accounting/accountant.h"
#include "common/privacy/accounting/pld_accountant.h"
#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {

/// The smaller of two upper bounds: by privacy loss distribution, the tighter one, and by Renyi
/// divergence, which checks it as long as every release is of a kind that it knows. A value.
class ExampleAccountant final : public Accountant {
 public:
  Status add(const Releases& releases) override;
  Status add(const DpSgdSteps& steps);
  [[nodiscard]] double epsilon(double delta) const override;
  /// Whether epsilon(delta) <= limit; much quicker where the Renyi bound is enough.
  [[nodiscard]] bool within(double limit, double delta) const;

 private:
  [[nodiscard]] double renyi_epsilon(double delta) const;

  RdpAccountant rdp_;
  PldAccountant pld_;
  bool renyi_knows_all_ = true;
};

}  // namespace sotto::privacy

#include "common/privacy/accounting/example_accountant.h"

#include <algorithm>
#include <limits>

namespace sotto::privacy {

Status ExampleAccountant::add(const DpSgdSteps& steps) {
  SOTTO_TRY(rdp_.add(steps));
  return pld_.add(steps);
}

Status ExampleAccountant::add(const Releases& releases) {
  if (const auto* steps = std::get_if<DpSgdSteps>(&releases)) return add(*steps);
  SOTTO_TRY(pld_.add(releases));
  if (!rdp_.add(releases).ok()) renyi_knows_all_ = false;
  return {};
}

double ExampleAccountant::renyi_epsilon(double delta) const {
  return renyi_knows_all_ ? rdp_.epsilon(delta) : std::numeric_limits<double>::infinity();
}

double ExampleAccountant::epsilon(double delta) const {
  return std::min(pld_.epsilon(delta), renyi_epsilon(delta));
}

bool ExampleAccountant::within(double limit, double delta) const {
  return renyi_epsilon(delta) <= limit || pld_.epsilon(delta) <= limit;
}

const AccountantKind accountants::pld{
    .name = "pld",
    .make = [] { return std::unique_ptr<Accountant>(std::make_unique<ExampleAccountant>()); }};

}  // namespace sotto::privacy

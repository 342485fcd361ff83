#include "common/privacy/ledger/budget_rule.h"

#include <cmath>
#include <limits>

#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {

double filter_epsilon(double order, double rdp, double delta) {
  return order > 1 ? epsilon_of_rdp(order, rdp, delta) : std::numeric_limits<double>::infinity();
}

double best_order(const RdpAccountant& curve, double max_epsilon, double delta) {
  double best = 0, most = 0;
  for (std::size_t i = 0; i < curve.orders().size(); ++i) {
    const double order = curve.orders()[i], rdp = curve.rdp()[i];
    // The amount that the conversion adds to the divergence at this order.
    const double added = std::log1p(-1 / order) - std::log(delta * order) / (order - 1);
    const double times = (max_epsilon - added) / rdp;
    if (std::isfinite(rdp) && times > most) {
      most = times;
      best = order;
    }
  }
  return best;
}

double rdp_at(const RdpAccountant& accountant, double order) {
  for (std::size_t i = 0; i < accountant.orders().size(); ++i)
    if (accountant.orders()[i] == order) return accountant.rdp()[i];
  return std::numeric_limits<double>::infinity();
}

}  // namespace sotto::privacy

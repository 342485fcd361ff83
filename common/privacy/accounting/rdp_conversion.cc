#include "common/privacy/accounting/rdp_conversion.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sotto::privacy {

// The result is 0 where epsilon = 0 holds (total variation <= sqrt(1 - exp(-KL)), KL <= every RDP).
double epsilon_of_rdp(double order, double rdp, double delta) {
  if (std::isnan(rdp)) return std::numeric_limits<double>::infinity();
  if (delta * delta > -std::expm1(-rdp)) return 0;
  return std::max(0.0, rdp + std::log1p(-1 / order) - std::log(delta * order) / (order - 1));
}

double delta_of_rdp(double order, double rdp, double epsilon) {
  if (std::isnan(rdp) || std::isinf(rdp)) return 1;
  const double tail =
      std::exp((order - 1) * (rdp - epsilon + std::log1p(-1 / order)) - std::log(order));
  return std::min({1.0, tail, std::sqrt(-std::expm1(-rdp))});
}

}  // namespace sotto::privacy

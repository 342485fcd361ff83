#include "common/privacy/accounting/selection.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "common/privacy/accounting/log_space.h"
#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {

namespace {

/// Returns -log gamma of the truncated negative binomial distribution of shape 0 or 1 with this
/// mean.
double log_inverse_gamma(TriesLaw law, double mean) {
  if (law == TriesLaw::kGeometric) return std::log(mean);
  double low = 0, high = 1;  // mean = (e^x - 1) / x
  while (std::expm1(high) / high < mean)
    high *= 2;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (std::expm1(middle) / middle < mean ? low : high) = middle;
  }
  return high;
}

/// Theorem 2 with eta 0 or 1: the term that is added at every order.
double negative_binomial_term(std::span<const double> orders, std::span<const double> rdp,
                              const RandomTries& tries) {
  const double x = log_inverse_gamma(tries.law, tries.mean);
  double least = kInfinity;
  for (std::size_t i = 0; i < orders.size(); ++i)
    least = std::min(least, (1 - 1 / orders[i]) * rdp[i] + x / orders[i]);
  return (tries.law == TriesLaw::kGeometric ? 2 : 1) * least;
}

/// Theorem 6: mean * delta at the epsilon that belongs to `order`.
double poisson_term(std::span<const double> orders, std::span<const double> rdp, double mean,
                    double order) {
  const double epsilon = std::log1p(1 / (order - 1));
  double delta = 1;
  for (std::size_t i = 0; i < orders.size(); ++i)
    delta = std::min(delta, delta_of_rdp(orders[i], rdp[i], epsilon));
  return mean * delta;
}

}  // namespace

Result<double> epsilon_of_selection(const DpSgdSteps& one_try, const RandomTries& tries,
                                    double delta) {
  if (!(delta > 0 && delta < 1)) return Error{"delta must be in (0, 1)"};
  if (!(tries.mean > 1) || !std::isfinite(tries.mean))
    return Error{"the mean number of tries must be above 1 and finite"};
  RdpAccountant accountant;
  SOTTO_TRY(accountant.add(one_try));
  const auto orders = accountant.orders(), rdp = accountant.rdp();
  const bool poisson = tries.law == TriesLaw::kPoisson;
  const double common = poisson ? 0 : negative_binomial_term(orders, rdp, tries);
  double best = kInfinity;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const double term = poisson ? poisson_term(orders, rdp, tries.mean, orders[i]) : common;
    best = std::min(
        best,
        epsilon_of_rdp(orders[i], rdp[i] + term + std::log(tries.mean) / (orders[i] - 1), delta));
  }
  return best;
}

}  // namespace sotto::privacy

#include "common/privacy/accounting/analytic_gaussian.h"

#include <cmath>
#include <numbers>

#include "common/base/check.h"

namespace sotto::privacy {

namespace {

const double kLogRootTwoPi = std::log(2 * std::numbers::pi) / 2;

/// Returns Mills' ratio: P(N(0, 1) > x) over the density at x.
double mills_ratio(double x) {
  if (x < 5)
    return std::exp(x * x / 2 + kLogRootTwoPi) * std::erfc(x * std::numbers::sqrt2 / 2) / 2;
  double fraction = 0;  // 1 / (x + 1 / (x + 2 / (x + 3 / ...)))
  for (int k = 100; k > 0; --k)
    fraction = k / (x + fraction);
  return 1 / (x + fraction);
}

/// Returns the point in [low, infinity) at which a falling function reaches `wanted`, rounded up.
/// The function must reach it there.
template <class Function>
double where_falls_to(Function function, double wanted, double low, double high) {
  while (function(high) > wanted) {
    low = high;
    high *= 2;
  }
  while (true) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return high;
    (function(middle) > wanted ? low : high) = middle;
  }
}

}  // namespace

// delta = Phi(-x) - exp(epsilon) Phi(-y), x = epsilon sigma - 1/(2 sigma), y = x + 1/sigma, and
// exp(epsilon) times the density at y is that at x.
double gaussian_log_delta(double sigma, double epsilon) {
  SOTTO_CHECK(sigma > 0 && epsilon >= 0, "a Gaussian mechanism without noise");
  const double x = epsilon * sigma - 0.5 / sigma;
  const double y = epsilon * sigma + 0.5 / sigma;
  if (x > -5) return -x * x / 2 - kLogRootTwoPi + std::log(mills_ratio(x) - mills_ratio(y));
  const double missing = std::erfc(-x * std::numbers::sqrt2 / 2) / 2 +
                         std::exp(epsilon - y * y / 2 - kLogRootTwoPi) * mills_ratio(y);
  return std::log1p(-missing);
}

double gaussian_epsilon(double sigma, double delta) {
  SOTTO_CHECK(delta > 0 && delta < 1, "delta must be in (0, 1)");
  const double wanted = std::log(delta);
  if (gaussian_log_delta(sigma, 0) <= wanted) return 0;
  return where_falls_to([sigma](double e) { return gaussian_log_delta(sigma, e); }, wanted, 0, 1);
}

double gaussian_sigma(double epsilon, double delta) {
  SOTTO_CHECK(delta > 0 && delta < 1, "delta must be in (0, 1)");
  const double wanted = std::log(delta);
  return where_falls_to([epsilon](double s) { return gaussian_log_delta(s, epsilon); }, wanted,
                        0x1p-20, 1);
}

}  // namespace sotto::privacy

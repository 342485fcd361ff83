#include "common/privacy/accounting/calibration.h"

#include <algorithm>
#include <cmath>

#include "common/privacy/accounting/analytic_gaussian.h"
#include "common/privacy/accounting/log_space.h"

namespace sotto::privacy {

namespace {

constexpr double kPrecision = 1e-4;

double epsilon_with(const PrivacyTarget& target, double sigma, const AccountantKind& kind) {
  const DpSgdSteps run{
      .sampling_rate = target.sampling_rate, .noise_multiplier = sigma, .steps = target.steps};
  const Result<double> epsilon = epsilon_of({&run, 1}, target.delta, kind);
  return epsilon.ok() ? *epsilon : kInfinity;
}

constexpr double kLargestNoise = 1e6;

Error no_noise_reaches_it() {
  return Error{"no noise multiplier up to 1e6 reaches the target epsilon"};
}

/// Finds the multiplier by bisection, which evaluates epsilon many times.
Result<double> bisected(const PrivacyTarget& target, const AccountantKind& kind) {
  const auto fits = [&](double sigma) {
    return epsilon_with(target, sigma, kind) <= target.epsilon;
  };
  constexpr double kSmallest = 1e-2;
  double high = 1;  // fits, as does everything above it
  while (!fits(high)) {
    high *= 2;
    if (high > kLargestNoise) return no_noise_reaches_it();
  }
  double low = high / 2;  // does not fit
  while (fits(low)) {
    high = low;
    low /= 2;
    if (low < kSmallest) return high;
  }
  while (high > low * (1 + kPrecision)) {
    const double middle = std::sqrt(low * high);
    (fits(middle) ? high : low) = middle;
  }
  return high;
}

/// Returns a noise multiplier that is large enough where no Renyi order reaches the target, that is
/// for targets below about ln(1 / delta) over the largest order. Without sampling the steps are one
/// Gaussian, and sampling only improves privacy. The multiplier is halved as long as it is large
/// enough.
Result<double> enough_without_sampling(const PrivacyTarget& target, const AccountantKind& kind) {
  const auto fits = [&](double sigma) {
    return epsilon_with(target, sigma, kind) <= target.epsilon;
  };
  double sigma = std::min(kLargestNoise, gaussian_sigma(target.epsilon, target.delta) *
                                             std::sqrt(static_cast<double>(target.steps)));
  if (!fits(sigma)) return no_noise_reaches_it();
  while (fits(sigma / 2))
    sigma /= 2;
  return sigma;
}

/// Starts from a noise multiplier that is large enough and finds the least one. Epsilon is nearly a
/// power of the multiplier, so interpolation on a straight line through the logarithms needs only a
/// few steps.
Result<double> interpolated(const PrivacyTarget& target, double enough,
                            const AccountantKind& kind) {
  struct Point {
    double sigma;
    double epsilon;
  };

  const auto at = [&](double sigma) { return Point{sigma, epsilon_with(target, sigma, kind)}; };
  Point high = at(enough);
  if (!(high.epsilon <= target.epsilon)) return bisected(target, kind);
  Point low = at(high.sigma * 0.9);
  while (low.epsilon <= target.epsilon && low.sigma > 1e-3) {
    high = low;
    low = at(low.sigma * 0.8);
  }
  for (int tries = 0; high.sigma > low.sigma * (1 + kPrecision); ++tries) {
    const double slope =
        std::log(high.sigma / low.sigma) / std::log(std::max(high.epsilon, 1e-300) / low.epsilon);
    double guess = low.sigma * std::pow(target.epsilon / low.epsilon, slope);
    // Every third step bisects the interval, independently of the line.
    if (!(guess > low.sigma && guess < high.sigma) || tries % 3 == 2)
      guess = std::sqrt(low.sigma * high.sigma);
    // The guess is moved a little to either side in turn, so that both ends converge.
    guess *= tries % 2 == 0 ? 1 + 0.3 * kPrecision : 1 - 0.3 * kPrecision;
    guess =
        std::clamp(guess, low.sigma * (1 + 0.2 * kPrecision), high.sigma * (1 - 0.2 * kPrecision));
    const Point next = at(guess);
    (next.epsilon <= target.epsilon ? high : low) = next;
  }
  return high.sigma;
}

}  // namespace

Result<double> calibrate_noise_multiplier(const PrivacyTarget& target, const AccountantKind& kind) {
  if (!(target.epsilon > 0) || !std::isfinite(target.epsilon))
    return Error{"the target epsilon must be positive and finite"};
  if (!kDelta.contains(target.delta)) return Error{"delta must be in (0, 1)"};
  if (target.steps == 0) return Error{"a run without steps needs no noise"};
  SOTTO_TRY(check({.sampling_rate = target.sampling_rate, .noise_multiplier = 1}));
  if (kind.is_quick) return bisected(target, kind);
  Result<double> sigma = bisected(target, accountants::rdp);
  if (!sigma.ok()) sigma = enough_without_sampling(target, kind);
  if (!sigma.ok()) return sigma;
  return interpolated(target, *sigma, kind);
}

}  // namespace sotto::privacy

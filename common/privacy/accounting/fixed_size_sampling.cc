#include "common/privacy/accounting/fixed_size_sampling.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numbers>

#include "common/privacy/accounting/log_space.h"

namespace sotto::privacy {

namespace {

/// Above this order every term takes the simpler of its two bounds: moments are expensive, and
/// epsilons in practical ranges do not have their best order there.
constexpr int kLargestMoment = 256;
/// Conservative slack, relative to an expectation: more than the rounding and quadrature errors
/// below.
constexpr double kSamplingSlack = 1e-9;

double log_choose(int n, int k) {
  return std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0);
}

/// Moments of the step without sampling.
class Unsampled {
 public:
  explicit Unsampled(double sigma) : sigma_(sigma) {}

  /// Returns log E[(p/q)^i], z ~ q.
  [[nodiscard]] double log_power(int i) const {
    return static_cast<double>(i) * (i - 1) / (2 * sigma_ * sigma_);
  }

  /// Returns log E[(p/q - 1)^i] for an even i. As an alternating sum it would cancel, so it is
  /// computed as an integral, in which nothing cancels. The rule of evenly spaced points is exact
  /// to double precision here.
  double log_central_moment(int i) {
    const auto known = moments_.find(i);
    if (known != moments_.end()) return known->second;
    const double step = sigma_ / 32;
    const double from = -14 * sigma_;
    const auto points = static_cast<std::size_t>((i + 28 * sigma_) / step);
    const auto exponent = [&](double z) {
      return i * std::log(std::abs(std::expm1((2 * z - 1) / (2 * sigma_ * sigma_)))) -
             z * z / (2 * sigma_ * sigma_);
    };
    const double largest = std::max(exponent(i), exponent(0));
    double sum = 0;
    for (std::size_t at = 0; at < points; ++at)
      sum += std::exp(exponent(from + static_cast<double>(at) * step) - largest);
    const double out = largest + std::log(sum * step / (sigma_ * std::sqrt(2 * std::numbers::pi))) +
                       kSamplingSlack;
    return moments_[i] = out;
  }

 private:
  double sigma_;
  std::map<int, double> moments_;
};

/// Returns the log of the bound on E[(p/q)^order] of the sampled step.
double log_expectation(double fraction, int order, Unsampled& step) {
  double sum = 0;
  for (int i = 2; i <= order; ++i) {
    double bound = std::numbers::ln2 + step.log_power(i);
    if (i == 2)
      bound = std::min(bound, 2 * std::numbers::ln2 + std::log(std::expm1(step.log_power(2))));
    else if (order <= kLargestMoment)
      bound = std::min(bound, 2 * std::numbers::ln2 + (step.log_central_moment(i / 2 * 2) +
                                                       step.log_central_moment((i + 1) / 2 * 2)) /
                                                          2);
    sum = log_add(sum, log_choose(order, i) + i * std::log(fraction) + bound);
  }
  return sum + kSamplingSlack * sum;
}

}  // namespace

std::vector<double> fixed_size_gaussian_rdp(double fraction, double noise_multiplier,
                                            std::span<const double> orders) {
  Unsampled step(noise_multiplier);
  std::map<int, double> known;
  const auto at = [&](double order) {
    const int whole = static_cast<int>(order);
    if (whole <= 1) return 0.0;
    const auto [place, fresh] = known.try_emplace(whole, 0);
    if (fresh) place->second = log_expectation(fraction, whole, step);
    return place->second;
  };
  std::vector<double> out;
  for (const double order : orders) {
    // The logarithm is convex in the order, so a chord is above it.
    const double low = std::floor(order);
    const double share = order - low;
    const double log = share == 0 ? at(low) : (1 - share) * at(low) + share * at(low + 1);
    // Sampling never costs more than using every record in every batch.
    out.push_back(std::min(log / (order - 1), order / (2 * noise_multiplier * noise_multiplier)));
  }
  return out;
}

}  // namespace sotto::privacy

#include "common/privacy/accounting/accountant.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "common/base/check.h"
#include "common/privacy/accounting/analytic_gaussian.h"
#include "common/privacy/accounting/fixed_size_sampling.h"
#include "common/privacy/accounting/rdp_conversion.h"
#include "common/privacy/accounting/subsampled_gaussian.h"

namespace sotto::privacy {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// 1.1, 1.2, ... 10.9, 11, 12, ... 63, 128, 256, 512, 1024.
constexpr std::size_t kOrders = 99 + 53 + 4;

std::array<double, kOrders> make_orders() {
  std::array<double, kOrders> out{};
  std::size_t at = 0;
  for (int tenths = 11; tenths < 110; ++tenths)
    out[at++] = tenths / 10.0;
  for (int order = 11; order < 64; ++order)
    out[at++] = order;
  for (const int order : {128, 256, 512, 1024})
    out[at++] = order;
  SOTTO_CHECK(at == kOrders, "the table of orders");
  return out;
}

const std::array<double, kOrders>& order_table() {
  static const std::array<double, kOrders> table = make_orders();
  return table;
}

Status check_noise(double multiplier) {
  if (!(multiplier > 0) || !std::isfinite(multiplier))
    return Error{"the noise multiplier must be positive and finite"};
  return {};
}

Status check_steps(const DpSgdSteps& steps) {
  if (!(steps.sampling_rate > 0 && steps.sampling_rate <= 1))
    return Error{"the sampling rate must be in (0, 1]"};
  return check_noise(steps.noise_multiplier);
}

double epsilon_of_curve(std::span<const double> rdp, double delta) {
  SOTTO_CHECK(delta > 0 && delta < 1, "delta must be in (0, 1)");
  double best = kInfinity;
  for (std::size_t i = 0; i < rdp.size(); ++i)
    best = std::min(best, epsilon_of_rdp(order_table()[i], rdp[i], delta));
  return best;
}

}  // namespace

RdpAccountant::RdpAccountant() : rdp_(kOrders, 0.0) {}

void RdpAccountant::add_repeated(std::span<const double> one, std::uint64_t times) {
  for (std::size_t i = 0; i < kOrders; ++i)
    rdp_[i] += static_cast<double>(times) * one[i];
}

Status RdpAccountant::add(const DpSgdSteps& steps) {
  SOTTO_TRY(check_steps(steps));
  if (steps.steps == 0) return {};
  add_repeated(subsampled_gaussian_rdp(steps.sampling_rate, steps.noise_multiplier, order_table()),
               steps.steps);
  return {};
}

Status RdpAccountant::add(const FixedSizeSteps& steps) {
  if (!(steps.fraction > 0 && steps.fraction < 1)) return Error{"the fraction must be in (0, 1)"};
  SOTTO_TRY(check_noise(steps.noise_multiplier));
  add_repeated(fixed_size_gaussian_rdp(steps.fraction, steps.noise_multiplier, order_table()),
               steps.steps);
  return {};
}

Status RdpAccountant::add(const NoisyRounds& rounds) {
  SOTTO_TRY(check(rounds));
  add_repeated(noisy_round_rdp(rounds, order_table()), rounds.rounds);
  distance_ += static_cast<double>(rounds.rounds) * rounds.unknown_noises *
               static_cast<double>(rounds.dimension) * kSamplerDistance;
  return {};
}

double RdpAccountant::epsilon(double delta) const {
  const double plain = epsilon_of_curve(rdp_, delta);
  if (distance_ == 0 || !std::isfinite(plain)) return plain;
  // Within total variation d of something (epsilon, delta - (1 + e^epsilon) d)-private; twice that
  // leaves room for the epsilon that grows a little with it.
  const double taken = 2 * (1 + std::exp(plain)) * distance_;
  if (!(taken < delta)) return kInfinity;
  const double epsilon = epsilon_of_curve(rdp_, delta - taken);
  return (1 + std::exp(epsilon)) * distance_ <= taken ? epsilon : kInfinity;
}

std::span<const double> RdpAccountant::orders() const {
  return order_table();
}

std::span<const double> RdpAccountant::rdp() const {
  return rdp_;
}

Status ExampleAccountant::add(const DpSgdSteps& steps) {
  SOTTO_TRY(rdp_.add(steps));
  return pld_.add(
      SampledGaussian{.rate = steps.sampling_rate, .noise_multiplier = steps.noise_multiplier},
      steps.steps);
}

double ExampleAccountant::epsilon(double delta) const {
  return std::min(pld_.epsilon(delta), rdp_.epsilon(delta));
}

bool ExampleAccountant::within(double limit, double delta) const {
  return rdp_.epsilon(delta) <= limit || pld_.epsilon(delta) <= limit;
}

Result<double> epsilon_of(std::span<const DpSgdSteps> runs, double delta, Accounting accounting) {
  if (!(delta > 0 && delta < 1)) return Error{"delta must be in (0, 1)"};
  const auto composed = [&](auto accountant) -> Result<double> {
    for (const DpSgdSteps& steps : runs)
      SOTTO_TRY(accountant.add(steps));
    return accountant.epsilon(delta);
  };
  return accounting == Accounting::kRdp ? composed(RdpAccountant()) : composed(ExampleAccountant());
}

Result<double> epsilon_of(const DpSgdSteps& steps, double delta) {
  return epsilon_of({&steps, 1}, delta, Accounting::kPld);
}

namespace {

constexpr double kPrecision = 1e-4;

double epsilon_with(const PrivacyTarget& target, double sigma, Accounting accounting) {
  const DpSgdSteps run{
      .sampling_rate = target.sampling_rate, .noise_multiplier = sigma, .steps = target.steps};
  const Result<double> epsilon = epsilon_of({&run, 1}, target.delta, accounting);
  return epsilon.ok() ? *epsilon : kInfinity;
}

constexpr double kLargestNoise = 1e6;

Error no_noise_reaches_it() {
  return Error{"no noise multiplier up to 1e6 reaches the target epsilon"};
}

/// Bisection, for a bound that costs little.
Result<double> calibrate_by_rdp(const PrivacyTarget& target) {
  const auto fits = [&](double sigma) {
    return epsilon_with(target, sigma, Accounting::kRdp) <= target.epsilon;
  };
  constexpr double kSmallest = 1e-2;
  double high = 1;  // fits, from here on
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

/// A noise multiplier that is enough where no Renyi order reaches the target, below about
/// ln(1 / delta) over the largest order: without sampling the steps are one Gaussian, and sampling
/// only helps. Halved as long as it is enough.
Result<double> enough_by_pld(const PrivacyTarget& target) {
  const auto fits = [&](double sigma) {
    return epsilon_with(target, sigma, Accounting::kPld) <= target.epsilon;
  };
  double sigma = std::min(kLargestNoise, gaussian_sigma(target.epsilon, target.delta) *
                                             std::sqrt(static_cast<double>(target.steps)));
  if (!fits(sigma)) return no_noise_reaches_it();
  while (fits(sigma / 2))
    sigma /= 2;
  return sigma;
}

/// From a noise multiplier that is enough down to the least one: epsilon is nearly a power of it,
/// so a straight line through the logarithms hits the target in a few steps.
double calibrate_by_pld(const PrivacyTarget& target, double enough) {
  struct Point {
    double sigma;
    double epsilon;
  };

  const auto at = [&](double sigma) {
    return Point{sigma, epsilon_with(target, sigma, Accounting::kPld)};
  };
  Point high = at(enough);
  if (!(high.epsilon <= target.epsilon)) return enough;
  Point low = at(high.sigma * 0.9);
  while (low.epsilon <= target.epsilon && low.sigma > 1e-3) {
    high = low;
    low = at(low.sigma * 0.8);
  }
  for (int tries = 0; high.sigma > low.sigma * (1 + kPrecision); ++tries) {
    const double slope =
        std::log(high.sigma / low.sigma) / std::log(std::max(high.epsilon, 1e-300) / low.epsilon);
    double guess = low.sigma * std::pow(target.epsilon / low.epsilon, slope);
    // Every third time halves what is left, whatever the line says.
    if (!(guess > low.sigma && guess < high.sigma) || tries % 3 == 2)
      guess = std::sqrt(low.sigma * high.sigma);
    // A little to each side in turn, so that both ends close in.
    guess *= tries % 2 == 0 ? 1 + 0.3 * kPrecision : 1 - 0.3 * kPrecision;
    guess =
        std::clamp(guess, low.sigma * (1 + 0.2 * kPrecision), high.sigma * (1 - 0.2 * kPrecision));
    const Point next = at(guess);
    (next.epsilon <= target.epsilon ? high : low) = next;
  }
  return high.sigma;
}

}  // namespace

Result<double> calibrate_noise_multiplier(const PrivacyTarget& target, Accounting accounting) {
  if (!(target.epsilon > 0) || !std::isfinite(target.epsilon))
    return Error{"the target epsilon must be positive and finite"};
  if (!(target.delta > 0 && target.delta < 1)) return Error{"delta must be in (0, 1)"};
  if (target.steps == 0) return Error{"a run without steps needs no noise"};
  SOTTO_TRY(check_steps({.sampling_rate = target.sampling_rate, .noise_multiplier = 1}));
  Result<double> sigma = calibrate_by_rdp(target);
  if (accounting == Accounting::kRdp) return sigma;
  if (!sigma.ok()) sigma = enough_by_pld(target);
  if (!sigma.ok()) return sigma;
  return calibrate_by_pld(target, *sigma);
}

}  // namespace sotto::privacy

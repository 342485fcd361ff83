#include "common/privacy/accountant.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "common/base/check.h"
#include "common/privacy/subsampled_gaussian.h"

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

Status check_steps(const DpSgdSteps& steps) {
  if (!(steps.sampling_rate > 0 && steps.sampling_rate <= 1))
    return Error{"the sampling rate must be in (0, 1]"};
  if (!(steps.noise_multiplier > 0) || !std::isfinite(steps.noise_multiplier))
    return Error{"the noise multiplier must be positive and finite"};
  return {};
}

/// RDP at `order` to epsilon at `delta`: Canonne, Kamath, Steinke 2020, Proposition 12. Where even
/// epsilon = 0 holds (total variation <= sqrt(1 - exp(-KL)), KL <= every RDP), 0.
double convert(double order, double rdp, double delta) {
  if (std::isnan(rdp)) return kInfinity;
  if (delta * delta > -std::expm1(-rdp)) return 0;
  return std::max(0.0, rdp + std::log1p(-1 / order) - std::log(delta * order) / (order - 1));
}

double epsilon_of_curve(std::span<const double> rdp, double delta) {
  SOTTO_CHECK(delta > 0 && delta < 1, "delta must be in (0, 1)");
  double best = kInfinity;
  for (std::size_t i = 0; i < rdp.size(); ++i)
    best = std::min(best, convert(order_table()[i], rdp[i], delta));
  return best;
}

}  // namespace

RdpAccountant::RdpAccountant() : rdp_(kOrders, 0.0) {}

Status RdpAccountant::add(const DpSgdSteps& steps) {
  if (Status fits = check_steps(steps); !fits.ok()) return fits;
  if (steps.steps == 0) return {};
  const std::vector<double> one =
      subsampled_gaussian_rdp(steps.sampling_rate, steps.noise_multiplier, order_table());
  for (std::size_t i = 0; i < kOrders; ++i)
    rdp_[i] += static_cast<double>(steps.steps) * one[i];
  return {};
}

Status RdpAccountant::add(const NoisyRounds& rounds) {
  if (Status fits = check(rounds); !fits.ok()) return fits;
  const auto count = static_cast<double>(rounds.rounds);
  const std::vector<double> one = noisy_round_rdp(rounds, order_table());
  for (std::size_t i = 0; i < kOrders; ++i)
    rdp_[i] += count * one[i];
  distance_ +=
      count * rounds.unknown_noises * static_cast<double>(rounds.dimension) * kSamplerDistance;
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

Result<double> epsilon_of(const DpSgdSteps& steps, double delta) {
  if (!(delta > 0 && delta < 1)) return Error{"delta must be in (0, 1)"};
  RdpAccountant accountant;
  if (Status added = accountant.add(steps); !added.ok()) return added.error();
  return accountant.epsilon(delta);
}

Result<double> calibrate_noise_multiplier(double target_epsilon, double delta, double sampling_rate,
                                          std::uint64_t steps) {
  if (!(target_epsilon > 0) || !std::isfinite(target_epsilon))
    return Error{"the target epsilon must be positive and finite"};
  if (steps == 0) return Error{"a run without steps needs no noise"};
  const auto fits = [&](double sigma) {
    const Result<double> epsilon = epsilon_of(
        {.sampling_rate = sampling_rate, .noise_multiplier = sigma, .steps = steps}, delta);
    return epsilon.ok() && *epsilon <= target_epsilon;
  };
  if (const auto valid = epsilon_of(
          {.sampling_rate = sampling_rate, .noise_multiplier = 1, .steps = steps}, delta);
      !valid.ok())
    return valid.error();
  constexpr double kLargest = 1e6;
  constexpr double kSmallest = 1e-2;
  double high = 1;  // fits, from here on
  while (!fits(high)) {
    high *= 2;
    if (high > kLargest) return Error{"no noise multiplier up to 1e6 reaches the target epsilon"};
  }
  double low = high / 2;  // does not fit
  while (fits(low)) {
    high = low;
    low /= 2;
    if (low < kSmallest) return high;
  }
  while (high > low * (1 + 1e-4)) {
    const double middle = std::sqrt(low * high);
    (fits(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace sotto::privacy

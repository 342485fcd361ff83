#include "common/privacy/accounting/rdp_accountant.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "common/base/check.h"
#include "common/privacy/accounting/fixed_size_sampling.h"
#include "common/privacy/accounting/log_space.h"
#include "common/privacy/accounting/subsampled_gaussian.h"

namespace sotto::privacy {

namespace {

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
  SOTTO_TRY(check(steps));
  if (steps.steps == 0) return {};
  add_repeated(subsampled_gaussian_rdp(steps.sampling_rate, steps.noise_multiplier, order_table()),
               steps.steps);
  return {};
}

Status RdpAccountant::add(const FixedSizeSteps& steps) {
  if (!(steps.fraction > 0 && steps.fraction < 1)) return Error{"the fraction must be in (0, 1)"};
  SOTTO_TRY(check_noise_multiplier(steps.noise_multiplier));
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
  // A mechanism is (epsilon, delta)-private when it is within total variation d of one that is
  // (epsilon, delta - (1 + e^epsilon) d)-private. Twice that amount is subtracted, because epsilon
  // grows a little with it.
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

Status RdpAccountant::add(const Releases& releases) {
  if (const auto* steps = std::get_if<DpSgdSteps>(&releases)) return add(*steps);
  if (const auto* steps = std::get_if<FixedSizeSteps>(&releases)) return add(*steps);
  if (const auto* rounds = std::get_if<NoisyRounds>(&releases)) return add(*rounds);
  if (const auto steps = as_dp_sgd(std::get<MechanismReleases>(releases))) return add(*steps);
  return Error{"knows \"gaussian\" noise and one example that is added or removed"};
}

const AccountantKind accountants::rdp{
    .name = "rdp",
    .make = [] { return std::unique_ptr<Accountant>(std::make_unique<RdpAccountant>()); },
    .is_quick = true};

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

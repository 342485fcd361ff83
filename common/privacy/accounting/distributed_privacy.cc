#include "common/privacy/accounting/distributed_privacy.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "common/privacy/accounting/rdp_accountant.h"

namespace sotto::privacy {

namespace {

constexpr double kLeastDeviation = 2;    // of a discrete Gaussian that is accounted as a Gaussian
constexpr double kLargestExcess = 1e-6;  // tau m'
constexpr double kLargestNorm = 0x1p30;  // of a vector in steps, so that squares fit 64 bits
constexpr double kVariancePerUnit = static_cast<double>(kVarianceUnit);

double deviation(const NoisyRounds& r) {
  return std::sqrt(static_cast<double>(r.variance) / kVariancePerUnit);
}

double l1_sensitivity(const NoisyRounds& r) {
  const auto squared = static_cast<double>(r.squared_sensitivity);
  return std::min(std::sqrt(static_cast<double>(r.dimension)) * std::sqrt(squared), squared);
}

/// Returns the norm in steps at which B is 1 % above it: 0.0201 a^2 = m'/4 + a + sqrt(m')/2.
double norm_for_one_per_cent(double dimension) {
  constexpr double kSlack = 1.01 * 1.01 - 1;
  const double rest = dimension / 4 + std::sqrt(dimension) / 2;
  return (1 + std::sqrt(1 + 4 * kSlack * rest)) / (2 * kSlack);
}

Result<NoisePlan> plan_with(const NoiseTarget& target, double noise_multiplier) {
  const auto dimension = static_cast<double>(target.dimension);
  // The variance of the rounding of all participants, n / 4, is at most 1 % of (z B)^2.
  double norm = std::max(norm_for_one_per_cent(dimension),
                         5 * std::sqrt(target.participants) / noise_multiplier);
  if (target.mechanism == NoiseMechanism::kDiscreteGaussian)
    norm = std::max(norm, kLeastDeviation * std::sqrt(target.unknown_noises) / noise_multiplier);
  norm = std::ceil(norm);
  if (!(norm + std::sqrt(dimension) < kLargestNorm))
    return Error{"the distributed noise needs finer steps than the ring has room for"};
  NoisePlan plan{.noise_multiplier = noise_multiplier,
                 .steps_per_unit = norm / target.clipping_norm,
                 .one_round = {.mechanism = target.mechanism,
                               .unknown_noises = target.unknown_noises,
                               .squared_sensitivity = squared_norm_limit(norm, target.dimension),
                               .dimension = target.dimension,
                               .rounds = 1}};
  const double variance = noise_multiplier * noise_multiplier *
                          static_cast<double>(plan.one_round.squared_sensitivity) /
                          target.unknown_noises;
  if (!(variance < 0x1p40)) return Error{"the distributed noise leaves the ring"};
  plan.one_round.variance = static_cast<std::uint64_t>(std::ceil(variance * kVariancePerUnit));
  SOTTO_TRY(check(plan.one_round));
  return plan;
}

Result<double> epsilon_of(const NoiseTarget& target, const NoisePlan& plan) {
  NoisyRounds all = plan.one_round;
  all.rounds = target.rounds;
  RdpAccountant accountant;
  SOTTO_TRY(accountant.add(all));
  return accountant.epsilon(target.delta);
}

}  // namespace

Status check(const NoisyRounds& r) {
  if (r.unknown_noises < 1)
    return Error{"the distributed noise needs a participant whose noise nobody else knows"};
  if (r.squared_sensitivity < 1 || r.dimension < 1)
    return Error{"the distributed noise protects a vector of no length"};
  SOTTO_TRY(DiscreteNoise::check(r.mechanism, r.variance));
  if (r.mechanism == NoiseMechanism::kSkellam) return {};
  if (!(deviation(r) >= kLeastDeviation))
    return Error{"a discrete Gaussian needs a deviation of at least 2 steps at each participant"};
  const double tau = discrete_gaussian_tau(r.unknown_noises, deviation(r));
  if (!(tau * static_cast<double>(r.dimension) < kLargestExcess))
    return Error{"the sum of the discrete Gaussians is too far from a discrete Gaussian"};
  return {};
}

double discrete_gaussian_tau(std::uint32_t noises, double sigma) {
  constexpr double kTwoPiSquared = 2 * std::numbers::pi * std::numbers::pi;
  double sum = 0;
  for (std::uint32_t k = 1; k < noises; ++k)
    sum += std::exp(-kTwoPiSquared * sigma * sigma * k / (k + 1.0));
  return 10 * sum;
}

double distributed_discrete_gaussian_rdp(double l2, double l1, double tau, std::uint64_t dimension,
                                         double order) {
  const auto d = static_cast<double>(dimension);
  const double spread = l2 + std::sqrt(d) * tau;
  return std::min({order / 2 * l2 * l2 + tau * d,
                   order / 2 * (l2 * l2 + 2 * l1 * tau + tau * tau * d),
                   order / 2 * spread * spread});
}

double skellam_rdp(double l2, double l1, double variance, double order) {
  return order * l2 * l2 / (2 * variance) +
         std::min(((2 * order - 1) * l2 * l2 + 6 * l1) / (4 * variance * variance),
                  3 * l1 / (2 * variance));
}

std::vector<double> noisy_round_rdp(const NoisyRounds& r, std::span<const double> orders) {
  constexpr double kUp = 1 + 0x1p-40;  // far above the relative error of the operations here
  const double noises = r.unknown_noises;
  const double l2 = std::sqrt(static_cast<double>(r.squared_sensitivity));
  const double l1 = l1_sensitivity(r);
  const double unit = std::sqrt(noises) * deviation(r);
  const double tau = discrete_gaussian_tau(r.unknown_noises, deviation(r));
  std::vector<double> out;
  for (const double order : orders)
    out.push_back(kUp * (r.mechanism == NoiseMechanism::kSkellam
                             ? skellam_rdp(l2, l1, unit * unit, std::ceil(order))
                             : distributed_discrete_gaussian_rdp(l2 / unit, l1 / unit, tau,
                                                                 r.dimension, order)));
  return out;
}

std::uint64_t squared_norm_limit(double norm, std::uint64_t dimension) {
  SOTTO_CHECK(norm > 0 && norm <= kLargestNorm, "a norm outside the ring");
  const double root = std::sqrt(static_cast<double>(dimension));
  // beta = e^-1/2: one attempt at rounding succeeds with probability at least 1 - beta.
  const double likely = norm * norm + root * root / 4 + norm + root / 2;
  const double certain = (norm + root) * (norm + root);
  return static_cast<std::uint64_t>(std::floor(std::min(likely, certain)));
}

Result<NoisePlan> plan_noise(const NoiseTarget& target) {
  if (!NoiseTarget::kClippingNorm.contains(target.clipping_norm))
    return Error{"the clipping norm of the update must be between 1e-30 and 1e6"};
  if (target.unknown_noises < 1)
    return Error{"the distributed noise needs a participant whose noise nobody else knows"};
  if (target.noise_multiplier > 0) return plan_with(target, target.noise_multiplier);
  if (!(target.epsilon > 0) || !kDelta.contains(target.delta))
    return Error{"distributed noise needs a positive epsilon and a delta in (0, 1)"};
  const auto fits = [&](double z) {
    const Result<NoisePlan> plan = plan_with(target, z);
    if (!plan.ok()) return false;
    const Result<double> epsilon = epsilon_of(target, *plan);
    return epsilon.ok() && *epsilon <= target.epsilon;
  };
  // The step is small, because noise far above what is needed may exceed the range of the tables.
  constexpr double kStep = 1.25;
  double high = 1;
  for (; !fits(high); high *= kStep)
    if (high > 1e6)
      return Error{"no distributed noise reaches the target epsilon with this mechanism"};
  double low = high / kStep;
  for (; low > 1e-3 && fits(low); low /= kStep)
    high = low;
  while (high > low * (1 + 1e-4)) {
    const double middle = std::sqrt(low * high);
    (fits(middle) ? high : low) = middle;
  }
  return plan_with(target, high);
}

}  // namespace sotto::privacy

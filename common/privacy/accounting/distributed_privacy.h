// What noise inside the aggregation is worth (docs/privacy.md, "The participant-level statement"):
// Renyi-DP of one participant's vector against the zero vector, for a sum that holds at least
// `unknown_noises` noises that the adversary does not know. Rounds against us.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/range.h"
#include "common/base/result.h"
#include "common/privacy/mechanisms/discrete_noise.h"

namespace sotto::privacy {

/// Rounds of one kind: what a release costs and what the ledger records.
struct NoisyRounds {
  NoiseMechanism mechanism = NoiseMechanism::kDiscreteGaussian;
  std::uint64_t variance = 0;             // of one participant's noise, in units of 2^-16
  std::uint32_t unknown_noises = 0;       // n_h
  std::uint64_t squared_sensitivity = 0;  // B^2: the largest squared norm of an integer vector
  std::uint64_t dimension = 0;            // m', words of the vector
  std::uint64_t rounds = 0;
  bool operator==(const NoisyRounds&) const = default;
};

/// An Error where the bounds below would not be worth their name: the discrete Gaussian needs a
/// deviation of 2 steps a participant and tau m' < 1e-6.
Status check(const NoisyRounds& rounds);

/// RDP of one round at each order > 1, from checked parameters. Skellam's bound is for whole
/// orders; the next one is taken, which is not below.
std::vector<double> noisy_round_rdp(const NoisyRounds& round, std::span<const double> orders);

/// How far n discrete Gaussians of deviation sigma are from one: tau of Kairouz, Liu, Steinke 2021.
double discrete_gaussian_tau(std::uint32_t noises, double sigma);
/// Their proposition 14; sensitivities in units of sqrt(noises) sigma.
double distributed_discrete_gaussian_rdp(double l2, double l1, double tau, std::uint64_t dimension,
                                         double order);
/// Agarwal, Kairouz, Liu 2021, corollary 4.1; `variance` of the sum, `order` whole.
double skellam_rdp(double l2, double l1, double variance, double order);

/// B^2 of section 3.1: the largest squared norm of a vector of norm `norm` (in steps) after
/// conditional stochastic rounding, as a whole number.
std::uint64_t squared_norm_limit(double norm, std::uint64_t dimension);

/// What a job asks for.
struct NoiseTarget {
  NoiseMechanism mechanism = NoiseMechanism::kDiscreteGaussian;
  double clipping_norm = 1;     // L2 bound on a participant's update, within kClippingNorm
  double noise_multiplier = 0;  // deviation of the sum's noise / sensitivity; 0: calibrate
  double epsilon = 0;           // of all rounds together, where it is calibrated
  double delta = 0;
  std::uint64_t dimension = 0;       // m'
  std::uint32_t participants = 0;    // usual number in a sum
  std::uint32_t unknown_noises = 0;  // n_h
  std::uint64_t rounds = 0;

  static constexpr Range kClippingNorm{.min = 1e-30, .max = 1e6};
};

/// What every participant does, the same at both sides.
struct NoisePlan {
  double noise_multiplier = 0;
  double steps_per_unit = 0;  // s
  NoisyRounds one_round;      // rounds = 1
};

/// Chooses the scale so that rounding costs at most 1 % in sensitivity and in noise (3.2), then
/// the least noise that reaches the target. An Error when none does or the values leave the ring.
Result<NoisePlan> plan_noise(const NoiseTarget& target);

}  // namespace sotto::privacy

// Accounting of distributed noise (docs/privacy.md, "The participant-level statement"): Renyi
// differential privacy of one participant's vector compared with the zero vector, for a sum that
// holds at least `unknown_noises` noises that the adversary does not know. The bounds are
// conservative: divergences are rounded up.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/range.h"
#include "common/base/result.h"
#include "common/privacy/mechanisms/discrete_noise.h"

namespace sotto::privacy {

/// NoisyRounds are rounds of one kind: the cost of a release, and what the ledger records of it.
struct NoisyRounds {
  NoiseMechanism mechanism = NoiseMechanism::kDiscreteGaussian;
  std::uint64_t variance = 0;             // of one participant's noise, in units of 2^-16
  std::uint32_t unknown_noises = 0;       // n_h
  std::uint64_t squared_sensitivity = 0;  // B^2: the largest squared norm of an integer vector
  std::uint64_t dimension = 0;            // m', words of the vector
  std::uint64_t rounds = 0;
  bool operator==(const NoisyRounds&) const = default;
};

/// Returns an Error where the bounds below would be too loose to be useful: the discrete Gaussian
/// needs a deviation of 2 steps for each participant, and tau m' < 1e-6.
Status check(const NoisyRounds& rounds);

/// Returns the RDP of one round at each order > 1. The parameters must have passed check(). The
/// Skellam bound holds for integer orders; for other orders the value at the next integer is
/// returned, which is not smaller.
std::vector<double> noisy_round_rdp(const NoisyRounds& round, std::span<const double> orders);

/// Returns tau of Kairouz, Liu, Steinke 2021: how far the sum of n discrete Gaussians of deviation
/// sigma is from one discrete Gaussian.
double discrete_gaussian_tau(std::uint32_t noises, double sigma);
/// Proposition 14 of the same paper; the sensitivities are in units of sqrt(noises) sigma.
double distributed_discrete_gaussian_rdp(double l2, double l1, double tau, std::uint64_t dimension,
                                         double order);
/// Corollary 4.1 of Agarwal, Kairouz, Liu 2021. `variance` is that of the sum; `order` is an
/// integer.
double skellam_rdp(double l2, double l1, double variance, double order);

/// Returns B^2 of section 3.1 as an integer: the largest squared norm of a vector of norm `norm`
/// (in steps) after conditional stochastic rounding.
std::uint64_t squared_norm_limit(double norm, std::uint64_t dimension);

/// NoiseTarget holds the job's requirements on distributed noise.
struct NoiseTarget {
  NoiseMechanism mechanism = NoiseMechanism::kDiscreteGaussian;
  double clipping_norm = 1;     // L2 bound on a participant's update, within kClippingNorm
  double noise_multiplier = 0;  // deviation of the sum's noise / sensitivity; 0: calibrated
  double epsilon = 0;           // of all rounds together, when the noise is calibrated
  double delta = 0;
  std::uint64_t dimension = 0;       // m'
  std::uint32_t participants = 0;    // usual number in a sum
  std::uint32_t unknown_noises = 0;  // n_h
  std::uint64_t rounds = 0;

  static constexpr Range kClippingNorm{.min = 1e-30, .max = 1e6};
};

/// NoisePlan holds the parameters of every participant's noise. Both sides compute the same plan.
struct NoisePlan {
  double noise_multiplier = 0;
  double steps_per_unit = 0;  // s
  NoisyRounds one_round;      // rounds = 1
};

/// Chooses the scale so that rounding costs at most 1 % in sensitivity and in noise (3.2), then the
/// least noise that reaches the target. Returns an Error when no noise reaches it or the values
/// leave the ring.
Result<NoisePlan> plan_noise(const NoiseTarget& target);

}  // namespace sotto::privacy

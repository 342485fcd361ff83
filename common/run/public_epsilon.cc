#include "common/run/public_epsilon.h"

#include <algorithm>

#include "common/privacy/accountant.h"

namespace sotto::run {

Result<PublicEpsilon> PublicEpsilon::of(const config::JobConfig& job) {
  const config::DifferentialPrivacySection& dp = job.differential_privacy;
  PublicEpsilon out;
  out.private_ = dp.enabled;
  if (!dp.enabled) return out;
  out.delta_ = dp.target_delta;
  out.sampling_rate_ = job.local_training.sampling_rate;
  out.steps_per_round_ = job.local_training.local_steps;
  out.training_rounds_ = job.rounds.num_server_rounds;
  out.noise_multiplier_ = dp.noise_multiplier;
  if (dp.noise_multiplier > 0) return out;
  out.target_ = dp.target_epsilon;
  if (out.sampling_rate_ <= 0) return out;
  auto calibrated =
      privacy::calibrate_noise_multiplier({.epsilon = dp.target_epsilon,
                                           .delta = dp.target_delta,
                                           .sampling_rate = out.sampling_rate_,
                                           .steps = out.steps_per_round_ * out.training_rounds_},
                                          privacy::Accounting::kPld);
  if (!calibrated.ok()) return calibrated.error();
  out.noise_multiplier_ = *calibrated;
  return out;
}

std::optional<double> PublicEpsilon::after(std::uint64_t rounds) const {
  if (!private_) return std::nullopt;
  const std::uint64_t trained = std::min(rounds, training_rounds_);
  if (trained == 0) return 0.0;
  if (sampling_rate_ <= 0) return trained == training_rounds_ ? target_ : std::nullopt;
  auto epsilon = privacy::epsilon_of({.sampling_rate = sampling_rate_,
                                      .noise_multiplier = noise_multiplier_,
                                      .steps = trained * steps_per_round_},
                                     delta_);
  return epsilon.ok() ? std::optional<double>(*epsilon) : std::nullopt;
}

}  // namespace sotto::run

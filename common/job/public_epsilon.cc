#include "common/job/public_epsilon.h"

#include <algorithm>

#include "common/privacy/accounting/calibration.h"

namespace sotto::job {

Result<std::optional<privacy::DpSgdSteps>> covered_steps_of(
    const config::JobConfig& job, std::optional<std::uint64_t> declared_units) {
  using Steps = std::optional<privacy::DpSgdSteps>;
  const config::DifferentialPrivacySection& dp = job.differential_privacy;
  const config::LocalTrainingSection& training = job.local_training;
  if (!dp.enabled) return Steps{};
  double rate = training.sampling_rate;
  if (rate <= 0 && declared_units && *declared_units > 0)
    rate = std::min(1.0, static_cast<double>(training.expected_batch_size) /
                             static_cast<double>(*declared_units));
  if (rate <= 0) return Steps{};
  privacy::DpSgdSteps out{
      .sampling_rate = rate, .noise_multiplier = dp.noise_multiplier, .steps = job.covered_steps()};
  if (out.noise_multiplier > 0) return Steps(out);
  SOTTO_ASSIGN_OR_RETURN(const auto calibrated,
                         privacy::calibrate_noise_multiplier({.epsilon = dp.target_epsilon,
                                                              .delta = dp.target_delta,
                                                              .sampling_rate = rate,
                                                              .steps = out.steps},
                                                             privacy::accountants::pld));
  out.noise_multiplier = calibrated;
  return Steps(out);
}

Result<PublicEpsilon> PublicEpsilon::of(const config::JobConfig& job) {
  const config::DifferentialPrivacySection& dp = job.differential_privacy;
  PublicEpsilon out;
  out.private_ = dp.enabled;
  if (!dp.enabled) return out;
  out.delta_ = dp.target_delta;
  out.sampling_rate_ = job.local_training.sampling_rate;
  out.steps_per_round_ = job.local_training.local_steps;
  out.covered_attempts_ = std::uint64_t{job.rounds.num_server_rounds} + dp.spare_rounds;
  if (dp.noise_multiplier <= 0) out.target_ = dp.target_epsilon;
  SOTTO_ASSIGN_OR_RETURN(const auto steps, covered_steps_of(job, std::nullopt));
  if (steps) out.noise_multiplier_ = steps->noise_multiplier;
  return out;
}

std::optional<double> PublicEpsilon::after(std::uint64_t attempts, bool training_is_over) const {
  if (!private_) return std::nullopt;
  if (attempts == 0) return 0.0;
  if (sampling_rate_ <= 0)
    return training_is_over && attempts <= covered_attempts_ ? target_ : std::nullopt;
  auto epsilon = privacy::epsilon_of({.sampling_rate = sampling_rate_,
                                      .noise_multiplier = noise_multiplier_,
                                      .steps = attempts * steps_per_round_},
                                     delta_);
  return epsilon.ok() ? std::optional<double>(*epsilon) : std::nullopt;
}

}  // namespace sotto::job

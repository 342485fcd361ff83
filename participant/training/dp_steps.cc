#include "participant/training/dp_steps.h"

#include <algorithm>

#include "common/privacy/accounting/calibration.h"

namespace sotto::training {

Result<privacy::DpSgdSteps> dp_steps_per_round(const config::JobConfig& job, std::uint64_t units) {
  const config::LocalTrainingSection& training = job.local_training;
  const config::DifferentialPrivacySection& dp = job.differential_privacy;
  if (units == 0)
    return Error{job.protects_persons() ? "the site has no person with a training example"
                                        : "the site has no training example"};
  privacy::DpSgdSteps steps;
  steps.steps = training.local_steps;
  steps.sampling_rate =
      training.sampling_rate > 0
          ? training.sampling_rate
          : static_cast<double>(training.expected_batch_size) / static_cast<double>(units);
  steps.sampling_rate = std::min(steps.sampling_rate, 1.0);
  if (!(steps.sampling_rate > 0) || steps.steps == 0)
    return Error{"the job samples no example or trains no step"};
  if (!dp.enabled) return steps;
  steps.noise_multiplier = dp.noise_multiplier;
  if (dp.noise_multiplier > 0) return steps;
  SOTTO_ASSIGN_OR_RETURN(const double noise,
                         privacy::calibrate_noise_multiplier({.epsilon = dp.target_epsilon,
                                                              .delta = dp.target_delta,
                                                              .sampling_rate = steps.sampling_rate,
                                                              .steps = job.covered_steps()},
                                                             privacy::accountants::pld));
  steps.noise_multiplier = noise;
  return steps;
}

}  // namespace sotto::training

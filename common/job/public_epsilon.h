// PublicEpsilon is the epsilon that follows from a job alone, for parties that do not know a site's
// data.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::job {

/// Returns the DP-SGD steps of all rounds and spare rounds of the job at a site whose data set has
/// the declared size, in units of the job; the size is not needed if the job sets a sampling rate.
/// Returns nothing without differential privacy and when the sampling rate is not known. Fails when
/// no noise multiplier reaches the job's target.
Result<std::optional<privacy::DpSgdSteps>> covered_steps_of(
    const config::JobConfig& job, std::optional<std::uint64_t> declared_units);

/// PublicEpsilon computes the epsilon of one unit (example or person) at the job's delta.
class PublicEpsilon {
 public:
  /// Fails when the job's target cannot be reached.
  static Result<PublicEpsilon> of(const config::JobConfig& job);

  /// Returns epsilon after so many attempts in which a site may have been charged for its training.
  /// If the job sets a sampling rate, epsilon is the same for every site. With a batch size and
  /// calibrated noise, no site spends more than the target as long as the attempts are at most the
  /// rounds and the spare rounds; the target is then returned once training is over. Otherwise
  /// returns nothing, because epsilon depends on the site's declared size.
  [[nodiscard]] std::optional<double> after(std::uint64_t attempts, bool training_is_over) const;

 private:
  bool private_ = false;
  double sampling_rate_ = 0;
  double noise_multiplier_ = 0;
  double delta_ = 0;
  std::uint64_t steps_per_round_ = 0;
  std::uint64_t covered_attempts_ = 0;
  std::optional<double> target_;  // if noise is calibrated at each site
};

}  // namespace sotto::job

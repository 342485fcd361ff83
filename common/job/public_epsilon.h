// The privacy figure that a job alone determines, for those who do not know a site's data.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/privacy/accounting/accountant.h"

namespace sotto::run {

/// The DP-SGD steps of all rounds and spare rounds of the job at a site whose data set has the
/// declared size; with a sampling rate in the job that size is not needed. Nothing without
/// differential privacy, or where the sampling rate is not known. An Error when no noise multiplier
/// reaches the job's target.
Result<std::optional<privacy::DpSgdSteps>> covered_steps_of(
    const config::JobConfig& job, std::optional<std::uint64_t> declared_examples);

/// Example-level epsilon at the job's delta after so many attempts in which a site may have been
/// charged for its training. With a sampling rate in the job the same for every site; with a batch
/// size and calibrated noise no site spends more than the target as long as the attempts are at
/// most the rounds and the spare rounds, which is what is said once training is over. Otherwise
/// nothing, because it would depend on the site's number of examples.
class PublicEpsilon {
 public:
  /// An Error when the job's target cannot be reached.
  static Result<PublicEpsilon> of(const config::JobConfig& job);

  [[nodiscard]] std::optional<double> after(std::uint64_t attempts, bool training_is_over) const;

 private:
  bool private_ = false;
  double sampling_rate_ = 0;
  double noise_multiplier_ = 0;
  double delta_ = 0;
  std::uint64_t steps_per_round_ = 0;
  std::uint64_t covered_attempts_ = 0;
  std::optional<double> target_;  // where noise is calibrated at each site
};

}  // namespace sotto::run

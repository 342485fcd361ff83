#include "common/job/counter_noise.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "common/job/evaluation_bounds.h"
#include "common/privacy/mechanisms/noise_table.h"

namespace sotto::run {

namespace {

constexpr std::size_t kLoss = 2, kPerLabel = 3;

/// A metric's steps are so fine that a deviation of one sensitivity has this many at least, where
/// the sensitivity does.
constexpr std::uint64_t kSteps = 1024;

/// How far sums of discrete Gaussians of a deviation of two steps and more are from one, over all
/// metrics of a round: tau sqrt(d) with 16,383 members and 4,096 metrics is below this.
constexpr double kDistance = 1e-10;

/// The squared changes of all metrics by one example, each in units of its own largest one, add up
/// to this at most. Units, right ones and loss are one each. Classification adds a true positive,
/// or a false positive and a false negative instead of the right one. Of entities found + missed
/// and found + wrong are at most the words, and the squares are largest where nothing is found.
double largest_change(const config::JobConfig& job) {
  if (job.is_language_modeling()) return 3;
  return job.is_token_classification() ? 5 : 4;
}

/// `sensitivity` is what one example changes the metric by at most.
codec::MetricNoise noise_of(double deviations, std::uint64_t sensitivity, std::uint64_t step) {
  // Rounding to steps moves it by one more.
  const std::uint64_t steps = (sensitivity + step - 1) / step + (step > 1 ? 1 : 0);
  const double deviation = deviations * static_cast<double>(steps);
  return {.step = step,
          .unknown_variance = static_cast<std::uint64_t>(
              std::ceil(deviation * deviation * static_cast<double>(privacy::kVarianceUnit)))};
}

}  // namespace

std::vector<codec::MetricNoise> metric_noise(const config::JobConfig& job) {
  const double multiplier = job.evaluation.counter_noise_multiplier;
  if (!(multiplier > 0)) return {};
  const double deviations = multiplier * std::sqrt(largest_change(job));
  const std::uint64_t units = units_per_example(job);
  const std::uint64_t loss = units * kMostLoss * 1000;
  std::vector<codec::MetricNoise> noise(kPerLabel + 3 * job.task.labels.size(),
                                        noise_of(deviations, units, 1));
  noise[kLoss] =
      noise_of(deviations, loss, std::bit_floor(std::max<std::uint64_t>(loss / kSteps, 1)));
  return noise;
}

double counter_epsilon(double noise_multiplier, std::uint64_t evaluations, double delta) {
  if (!(noise_multiplier > 0)) return std::numeric_limits<double>::infinity();
  const double change = 1 / noise_multiplier + kDistance;
  const double rho = static_cast<double>(evaluations) * change * change / 2;
  return rho + 2 * std::sqrt(rho * std::log(1 / delta));
}

}  // namespace sotto::run

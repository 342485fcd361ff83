#include "common/job/counter_noise.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "common/privacy/mechanisms/noise_table.h"

namespace sotto::job {

namespace {

/// Counters that are not exact counts are rounded to steps. The sensitivity of a counter has at
/// least so many steps, unless it is smaller than that many units itself.
constexpr std::uint64_t kSteps = 1024;

/// The distance of sums of discrete Gaussians with a deviation of at least two steps from one
/// discrete Gaussian, over all metrics of a round: tau sqrt(d) with 16,383 members and 4,096
/// metrics is below this.
constexpr double kDistance = 1e-10;

/// `sensitivity` is the largest change of the metric by one example.
encoding::MetricNoise noise_of(double deviations, std::uint64_t sensitivity, std::uint64_t step) {
  // Rounding to steps can increase the change by one step.
  const std::uint64_t steps = (sensitivity + step - 1) / step + (step > 1 ? 1 : 0);
  const double deviation = deviations * static_cast<double>(steps);
  return {.step = step,
          .unknown_variance = static_cast<std::uint64_t>(
              std::ceil(deviation * deviation * static_cast<double>(privacy::kVarianceUnit)))};
}

}  // namespace

std::vector<encoding::MetricNoise> metric_noise(const config::JobConfig& job) {
  const double multiplier = job.evaluation.counter_noise_multiplier;
  if (!(multiplier > 0)) return {};
  const auto task = job.make_task();
  const double deviations = multiplier * std::sqrt(task->largest_squared_change());
  std::vector<encoding::MetricNoise> noise;
  for (const tasks::Counter& counter : task->counters()) {
    const std::uint64_t sensitivity = task->units_per_example() * counter.most_steps();
    const std::uint64_t step =
        counter.scale > 1 ? std::bit_floor(std::max<std::uint64_t>(sensitivity / kSteps, 1)) : 1;
    noise.push_back(noise_of(deviations, sensitivity, step));
  }
  return noise;
}

double counter_epsilon(double noise_multiplier, std::uint64_t evaluations, double delta) {
  if (!(noise_multiplier > 0)) return std::numeric_limits<double>::infinity();
  const double change = 1 / noise_multiplier + kDistance;
  const double rho = static_cast<double>(evaluations) * change * change / 2;
  return rho + 2 * std::sqrt(rho * std::log(1 / delta));
}

}  // namespace sotto::job

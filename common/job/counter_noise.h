// Distributed noise on the summed counters of an evaluation (evaluation.counter_noise_multiplier):
// its amount and the epsilon that it gives (docs/privacy.md, "Noise on the counters").
#pragma once

#include <cstdint>
#include <vector>

#include "common/config/job.h"
#include "common/encoding/quantizer.h"

namespace sotto::job {

/// Returns the noise for each of Task::counters(), before it is divided among a cohort; empty when
/// the job asks for none. The standard deviation is the multiplier times the largest change of the
/// metric by one example, times the root of Task::largest_squared_change(), so that all metrics
/// together are one Gaussian mechanism with that multiplier.
std::vector<encoding::MetricNoise> metric_noise(const config::JobConfig& job);

/// Returns epsilon at `delta` of the counters of so many evaluations together, for adding or
/// removing one example of an evaluation split, against the coordinator and as many members as the
/// job has colluders. It is infinite without noise.
double counter_epsilon(double noise_multiplier, std::uint64_t evaluations, double delta);

}  // namespace sotto::job

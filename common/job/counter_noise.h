// Noise from every participant on the summed counters of an evaluation
// (evaluation.counter_noise_multiplier): how much, and what it is worth (docs/privacy.md, "Noise on
// the counters").
#pragma once

#include <cstdint>
#include <vector>

#include "common/config/job.h"
#include "common/encoding/quantizer.h"

namespace sotto::run {

/// For each of Task::counters(), before it is shared among a cohort; empty where the job asks for
/// none. Deviations are the multiplier times the most by which one example changes the metric,
/// times the root of how many such changes one example makes at most, so that all metrics together
/// are one Gaussian mechanism of that multiplier.
std::vector<codec::MetricNoise> metric_noise(const config::JobConfig& job);

/// Epsilon at `delta`, adding or removing one example of an evaluation split, of the counters of so
/// many evaluations together, against the coordinator and as many members as the job names
/// colluders. Infinite without noise.
double counter_epsilon(double noise_multiplier, std::uint64_t evaluations, double delta);

}  // namespace sotto::run

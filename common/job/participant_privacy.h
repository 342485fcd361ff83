// What a job's section distributed_privacy means: the noise of every round, and what all rounds
// together cost a participant. The same at the coordinator and at the participants.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/encoding/noisy_encoding.h"
#include "common/privacy/accounting/distributed_privacy.h"
#include "common/secagg/shared/noisy_round.h"

namespace sotto::run {

/// The fewest members that a round of this job may begin with.
std::uint32_t smallest_cohort(const config::JobConfig& job);

/// The fewest members in the sum of a round of this size, as the job alone asks for it; members may
/// demand more. An Error when C > n - 2.
Result<std::uint32_t> own_s_min(const config::JobConfig& job, const secagg::RoundSize& size);

/// The same of the job's smallest round; 0 where the job allows none.
std::uint32_t smallest_sum(const config::JobConfig& job);

/// Nothing when the job asks for no noise inside the sum. Calibrated, where the job names a target,
/// for the smallest cohort; no larger one costs more. An Error, which begins with the section's
/// name, when the target or the mechanism cannot be.
Result<std::optional<codec::NoiseTerms>> noise_terms(const config::JobConfig& job,
                                                     std::uint64_t parameters);

/// All rounds of the job in its smallest cohort: what a site looks at before it agrees.
Result<privacy::NoisyRounds> noise_of_job(const config::JobConfig& job,
                                          const codec::NoiseTerms& terms);

/// Epsilon of noise alone. An Error when it or delta is out of range.
Result<double> participant_epsilon(const privacy::NoisyRounds& rounds, double delta);

}  // namespace sotto::run

// The meaning of a job's section distributed_privacy: the noise of every round, and the epsilon of
// all rounds together for a participant. Coordinator and participants use the same functions.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/encoding/noisy_encoding.h"
#include "common/privacy/accounting/distributed_privacy.h"
#include "common/secagg/shared/noisy_round.h"

namespace sotto::job {

/// Returns the smallest number of members with which a round of this job may begin.
std::uint32_t smallest_cohort(const config::JobConfig& job);

/// Returns the smallest number of members in the sum of a round of this size that the job itself
/// permits; members may require more. Fails when C > n - 2.
Result<std::uint32_t> own_s_min(const config::JobConfig& job, const secagg::RoundSize& size);

/// The same for the job's smallest round; 0 when that round is not possible.
std::uint32_t smallest_sum(const config::JobConfig& job);

/// Returns the noise of a round; nothing when the job asks for no noise inside the sum. If the job
/// has a target, the noise is calibrated for the smallest cohort; a larger one has no larger
/// epsilon. Fails when the target or the mechanism is not possible; the Error begins with the
/// section's name.
Result<std::optional<encoding::NoiseTerms>> noise_terms(const config::JobConfig& job,
                                                        std::uint64_t parameters);

/// Returns all rounds of the job in its smallest cohort, which a site checks before it accepts.
Result<privacy::NoisyRounds> noise_of_job(const config::JobConfig& job,
                                          const encoding::NoiseTerms& terms);

}  // namespace sotto::job

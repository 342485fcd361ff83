// The parts of a coordinator's start that depend on its job.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/crypto/secure_random.h"
#include "common/crypto/sign.h"
#include "common/job/public_epsilon.h"
#include "coordinator/driver/noise_account.h"
#include "coordinator/driver/round_plan.h"
#include "coordinator/protocol/randomness_exchange.h"

namespace sotto::coordinator {

/// Returns the calculation of the run's public epsilon. Throws StartupError when the job's privacy
/// target cannot be reached.
job::PublicEpsilon public_epsilon(const config::JobConfig& job);

/// Returns the job with its number of colluders: the one that it names, or the default that follows
/// from the participants of the roster. Throws StartupError when the job does not permit that
/// number, or when the run in `folder` began with another one, under another roster.
config::JobConfig with_colluders(config::JobConfig job, const config::Roster& roster,
                                 const std::filesystem::path& folder);

/// Opens FOLDER/noise.log if the job has differential privacy of either kind. Throws StartupError
/// when the job's noise is impossible for a model of so many parameters, or when the file is
/// unusable.
std::optional<NoiseAccount> open_noise_account(const config::JobConfig& job,
                                               std::uint64_t parameters,
                                               const std::filesystem::path& folder);

/// Writes FOLDER/job.json: the resolved job, as it is hashed and signed. Throws StartupError.
void write_resolved_job(const config::JobConfig& job, const std::filesystem::path& folder);

/// Returns the shared randomness of the run, made or still to be made, when the job's rounds are
/// drawn; nothing otherwise. It is kept in `folder`. Throws StartupError when the file there is
/// unusable. `signing` and `random` outlive it.
std::optional<RandomnessExchange> open_shared_randomness(const config::JobConfig& job,
                                                         const config::Roster& roster,
                                                         const RunId& run,
                                                         const std::filesystem::path& folder,
                                                         const crypto::SigningKey& signing,
                                                         crypto::SecureRandom& random);

/// Returns the number of members of a round when so many are ready.
std::size_t round_size(const config::JobConfig& job,
                       const std::optional<RandomnessExchange>& shared_randomness,
                       std::size_t ready);

/// Returns the members of a round: drawn from `ready` by the coordinator, or by the shared
/// randomness.
RoundMembers members_of_round(const config::JobConfig& job,
                              const std::optional<RandomnessExchange>& shared_randomness,
                              const std::vector<MemberId>& ready, crypto::SecureRandom& random);

}  // namespace sotto::coordinator

// What a coordinator takes from its job when it starts.
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
#include "coordinator/protocol/genesis.h"

namespace sotto::coordinator {

/// Throws StartupError when the job's target cannot be reached.
run::PublicEpsilon public_epsilon(const config::JobConfig& job);

/// The job with a number of colluders: the one that it names, or what follows from the participants
/// of the roster. Throws StartupError where the job does not admit that, or where the run in
/// `folder` began with another number, under another roster.
config::JobConfig with_colluders(config::JobConfig job, const config::Roster& roster,
                                 const std::filesystem::path& folder);

/// FOLDER/noise.log, where the job has differential privacy of either kind. Throws StartupError
/// when that cannot be, with a model of so many parameters, or the file is of no use.
std::optional<NoiseAccount> open_noise_account(const config::JobConfig& job,
                                               std::uint64_t parameters,
                                               const std::filesystem::path& folder);

/// FOLDER/job.json: the resolved job, as hashed and signed. Throws StartupError.
void write_resolved_job(const config::JobConfig& job, const std::filesystem::path& folder);

/// The genesis of the run, made or still to be made, when its rounds are drawn; kept in `folder`.
/// Throws StartupError when the file there is of no use. `signing` and `random` outlive it.
std::optional<RunGenesis> open_genesis(const config::JobConfig& job, const config::Roster& roster,
                                       const RunId& run, const std::filesystem::path& folder,
                                       const crypto::SigningKey& signing,
                                       crypto::SecureRandom& random);

/// Members of a round of which so many are ready.
std::size_t round_size(const config::JobConfig& job, const std::optional<RunGenesis>& genesis,
                       std::size_t ready);

/// Of those who are ready, or as the genesis draws them.
RoundMembers members_of_round(const config::JobConfig& job,
                              const std::optional<RunGenesis>& genesis,
                              const std::vector<MemberId>& ready, crypto::SecureRandom& random);

}  // namespace sotto::coordinator

#include "coordinator/driver/job_terms.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/config/colluders.h"
#include "common/config/parse.h"
#include "common/job/participant_privacy.h"
#include "common/job/plan.h"
#include "common/storage/atomic_file.h"
#include "coordinator/members/members.h"

namespace sotto::coordinator {

namespace {

constexpr const char* kResolvedJob = "job.json";

}  // namespace

job::PublicEpsilon public_epsilon(const config::JobConfig& job) {
  return job::PublicEpsilon::of(job).or_stop("cannot compute the job's privacy target: ");
}

config::JobConfig with_colluders(config::JobConfig job, const config::Roster& roster,
                                 const std::filesystem::path& folder) {
  if (job.secure_aggregation.max_colluders != 0) return job;
  const auto participants = static_cast<std::uint32_t>(job::signers(roster).size());
  config::complete(job, participants).or_stop();
  if (!std::filesystem::exists(folder / kResolvedJob)) return job;
  const std::uint32_t now = job.secure_aggregation.max_colluders;
  const std::uint32_t began =
      config::load_job(folder / kResolvedJob).secure_aggregation.max_colluders;
  if (began == now) return job;
  throw StartupError(
      "the job does not set secure_aggregation.max_colluders. The run in " + folder.string() +
      " began with " + std::to_string(began) + "; from the " + std::to_string(participants) +
      " participants of the present roster " + std::to_string(now) +
      " follows. Continue with --set secure_aggregation.max_colluders=" + std::to_string(began) +
      ", or begin a new run in another --out");
}

std::optional<NoiseAccount> open_noise_account(const config::JobConfig& job,
                                               std::uint64_t parameters,
                                               const std::filesystem::path& folder) {
  const auto terms = job::noise_terms(job, parameters).or_stop("cannot use the job: ");
  if (!terms && !job.differential_privacy.enabled) return std::nullopt;
  return NoiseAccount::open(folder / "noise.log").or_stop();
}

void write_resolved_job(const config::JobConfig& job, const std::filesystem::path& folder) {
  storage::write_file_atomically(folder / kResolvedJob, {view_of(job.canonical), view_of("\n")},
                                 storage::FileAccess::kEveryoneReads)
      .or_stop();
}

std::optional<RandomnessExchange> open_shared_randomness(const config::JobConfig& job,
                                                         const config::Roster& roster,
                                                         const RunId& run,
                                                         const std::filesystem::path& folder,
                                                         const crypto::SigningKey& signing,
                                                         crypto::SecureRandom& random) {
  secagg::RandomnessContext context{.run = run,
                                    .roster_hash = roster.hash(),
                                    .roster = job::signers(roster),
                                    .coordinator = signing.verify_key(),
                                    .min_members = job.rounds.min_available_participants,
                                    .colluders = job.secure_aggregation.max_colluders};
  if (!job::drawn_cohort_size(job, context.roster.size())) return std::nullopt;
  if (job.rounds.fraction_train < 1)
    throw StartupError(
        "rounds.fraction_train must be 1 if there are more participants than "
        "secure_aggregation.full_graph_max, because rounds are then drawn at random; "
        "secure_aggregation.cohort_size selects a part of the participants");
  RandomnessExchange shared_randomness(std::move(context), folder / "genesis.bin",
                                       std::chrono::seconds(job.rounds.phase_timeout_s), signing,
                                       random);
  shared_randomness.load().or_stop();
  return shared_randomness;
}

std::size_t round_size(const config::JobConfig& job,
                       const std::optional<RandomnessExchange>& shared_randomness,
                       std::size_t ready) {
  if (!shared_randomness) return cohort_size(job.rounds, ready);
  const std::size_t all = shared_randomness->shared_randomness()
                              ? shared_randomness->shared_randomness()->members.size()
                              : ready;
  const std::size_t drawn = job.secure_aggregation.cohort_size;
  return drawn == 0 ? all : std::min(drawn, all);
}

RoundMembers members_of_round(const config::JobConfig& job,
                              const std::optional<RandomnessExchange>& shared_randomness,
                              const std::vector<MemberId>& ready, crypto::SecureRandom& random) {
  if (!shared_randomness) return draw_cohort(job.rounds, ready, random);
  return secagg::CohortDraw{.shared_randomness = *shared_randomness->shared_randomness(),
                            .cohort_size = job.secure_aggregation.cohort_size};
}

}  // namespace sotto::coordinator

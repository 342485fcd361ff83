// Everything durable of a run at the coordinator, opened together: what a process finds that begins
// again after a kill -9. What cannot be written ends the process, because going on would lose
// rounds: StartupError. One thread.
#pragma once

#include <filesystem>
#include <optional>

#include "common/config/job.h"
#include "common/crypto/secure_random.h"
#include "coordinator/driver/noise_account.h"
#include "coordinator/members/exclusions.h"
#include "coordinator/observability/metrics_log.h"
#include "coordinator/storage/checkpoint.h"
#include "coordinator/storage/published_sums.h"
#include "coordinator/storage/round_journal.h"
#include "coordinator/storage/standing_pause.h"

namespace sotto::coordinator {

class RunFolder {
 public:
  /// Opens the run of `job` in `folder`, or begins it with `model`. Throws
  /// StartupError when the folder is of another job, damaged, in use or cannot be written.
  RunFolder(std::filesystem::path folder, const config::JobConfig& job, FlatParameters model,
            crypto::SecureRandom& random);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] bool resumed() const { return resumed_; }

  /// How far the run was when it was opened.
  struct AtStart {
    std::uint64_t finished_rounds = 0;
    double wall_s = 0;
  };

  [[nodiscard]] const AtStart& at_start() const { return at_start_; }

  /// The attempt that an earlier process left in its middle; its number counts as offered. Once.
  std::optional<UnfinishedAttempt> take_unfinished();

  /// A number that was never offered, durable as used; then the attempt's journal is open.
  [[nodiscard]] Result<RoundNumber> next_attempt() const;
  void begin_attempt(const AttemptBegun& attempt);

  /// What an attempt does to the run when it enters a phase, durable before it returns, and before
  /// the phase's first message leaves. With M4U, on which updates follow, the attempt is charged,
  /// where the job has differential privacy and the round trains. With M6, on which a certificate
  /// follows, its server round was counted.
  void enter_phase(Phase phase, RoundNumber round,
                   const std::optional<codec::NoisyEncoding>& noise);

  /// The sum of an attempt at that server round may have been certified, in this process or an
  /// earlier one: no later attempt sums its counters again.
  [[nodiscard]] bool was_counted(std::uint64_t server_round) const {
    return counted_round_ == server_round;
  }

  /// Of an attempt that is to begin.
  [[nodiscard]] EvaluationCounters counters_of(RoundNumber round) const {
    return was_counted(round.server_round()) ? EvaluationCounters::kLeftOut
                                             : EvaluationCounters::kSummed;
  }

  /// A burn certificate says that it never was opened.
  void count_again(std::uint64_t server_round);

  /// Of a change to `exclusions`: throws StartupError where it was not written.
  void must(const Status& written) const;

  /// Kept; durable now when something that follows from them is about to leave.
  void keep(const std::vector<RoundFact>& facts, bool decided);
  /// Makes durable what has waited for longer than a second.
  void commit_waiting(TimePoint now);

  /// What an operator reads when `why` kept something from being written.
  [[nodiscard]] std::string cannot_write(const std::string& why) const;

  /// The checkpoint as it is in memory now, durable; then the attempt that led to it is over.
  void finish_attempt();
  /// An attempt without a sum is over.
  void drop_attempt();

  /// The sums of the finished rounds; null unless the job asks for model lineage.
  [[nodiscard]] const std::shared_ptr<PublishedSums>& sums() const { return sums_; }

  /// Durable before it returns, and before the checkpoint that it led to.
  void publish(const secagg::PublishedSum& head, const codec::RingUpdate& sum);

  /// The attempts in which a site may have been charged for its training, those of earlier
  /// processes too; 0 of a job without any differential privacy.
  [[nodiscard]] std::uint64_t charged_attempts() const {
    return noise_account_ ? noise_account_->attempts() : 0;
  }

  /// What the run's sums cost a participant so far, of such a job.
  [[nodiscard]] std::optional<double> participant_epsilon(double delta) const;

  Checkpoint checkpoint;  // the next save will hold it
  MetricsLog metrics;
  StandingPause standing_pause;
  Exclusions exclusions;

  [[nodiscard]] std::shared_ptr<UploadStore> uploads() const { return journal_->uploads(); }

 private:
  void open_sums(const config::JobConfig& job);

  std::filesystem::path path_;
  bool resumed_ = false;
  AtStart at_start_;
  std::optional<CheckpointStore> store_;
  std::uint64_t counted_round_ = 0;  // the newest that was counted; 0: none
  std::uint64_t training_rounds_ = 0;
  bool sums_have_noise_ = false;
  std::optional<NoiseAccount> noise_account_;
  std::optional<RoundJournal> journal_;
  std::shared_ptr<PublishedSums> sums_;
  std::optional<UnfinishedAttempt> unfinished_;
  std::optional<TimePoint> waiting_since_;
};

}  // namespace sotto::coordinator

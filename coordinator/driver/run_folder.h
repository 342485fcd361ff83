// RunFolder opens everything durable of a run at the coordinator together; a process that starts
// after a kill -9 finds it there. A failed write throws StartupError and ends the process, because
// continuing would lose rounds. One thread.
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
  /// Opens the run of `job` in `folder`, or begins it with `model`. Throws StartupError when the
  /// folder belongs to another job, is damaged or in use, or cannot be written.
  RunFolder(std::filesystem::path folder, const config::JobConfig& job, FlatParameters model,
            crypto::SecureRandom& random);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] bool resumed() const { return resumed_; }

  /// The progress of the run when it was opened.
  struct AtStart {
    std::uint64_t finished_rounds = 0;
    double wall_s = 0;
  };

  [[nodiscard]] const AtStart& at_start() const { return at_start_; }

  /// Returns the attempt that an earlier process left unfinished, once. Its number is durable as
  /// offered.
  std::optional<UnfinishedAttempt> take_unfinished();

  /// next_attempt() returns a number that was never offered. begin_attempt() makes it durable as
  /// used and opens the attempt's journal.
  [[nodiscard]] Result<RoundNumber> next_attempt() const;
  void begin_attempt(const AttemptBegun& attempt);

  /// Makes durable what entering a phase changes in the run, before it returns and so before the
  /// first message of the phase leaves. With M4U, after which updates leave, the attempt is
  /// charged, if the job has differential privacy and the round trains. With M6, after which a
  /// certificate may exist, its server round is marked as counted.
  void enter_phase(Phase phase, RoundNumber round,
                   const std::optional<encoding::NoisyEncoding>& noise);

  /// Returns true when the sum of an attempt at this server round may have been certified, in this
  /// process or an earlier one: no later attempt sums its counters again.
  [[nodiscard]] bool was_counted(std::uint64_t server_round) const {
    return counted_round_ == server_round;
  }

  /// Whether an attempt that is about to begin sums counters.
  [[nodiscard]] EvaluationCounters counters_of(RoundNumber round) const {
    return was_counted(round.server_round()) ? EvaluationCounters::kLeftOut
                                             : EvaluationCounters::kSummed;
  }

  /// An abort certificate proves that the sum of this server round was never opened: its counters
  /// may be summed again.
  void count_again(std::uint64_t server_round);

  /// Throws StartupError when `written`, the result of a write to the folder, is an Error.
  void must(const Status& written) const;

  /// Appends facts to the journal. `decided` makes them durable at once, because something that
  /// follows from them is about to leave.
  void keep(const std::vector<RoundFact>& facts, bool decided);
  /// Makes facts durable that have waited for a second or longer.
  void commit_waiting(TimePoint now);

  /// The message for the operator when a write failed because of `why`.
  [[nodiscard]] std::string cannot_write(const std::string& why) const;

  /// Saves the checkpoint durably as it is in memory, then ends the attempt that led to it.
  void finish_attempt();
  /// Ends an attempt that has no sum.
  void drop_attempt();

  /// The sums of the finished rounds; null unless the job uses model lineage.
  [[nodiscard]] const std::shared_ptr<PublishedSums>& sums() const { return sums_; }

  /// Adds the sum of a round to sums(). Durable before it returns, and so before the checkpoint
  /// that it leads to.
  void publish(const secagg::PublishedSum& head, const encoding::RingUpdate& sum);

  /// The number of attempts in which a site may have been charged for its training, including those
  /// of earlier processes; 0 for a job without differential privacy.
  [[nodiscard]] std::uint64_t charged_attempts() const {
    return noise_account_ ? noise_account_->attempts() : 0;
  }

  /// The participant-level epsilon so far; nothing for a job without noise inside its sums.
  [[nodiscard]] std::optional<double> participant_epsilon(double delta) const;

  Checkpoint checkpoint;  // as the next save writes it
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
  std::uint64_t counted_round_ = 0;  // the newest server round that was counted; 0: none
  std::uint64_t training_rounds_ = 0;
  bool sums_have_noise_ = false;
  std::optional<NoiseAccount> noise_account_;
  std::optional<RoundJournal> journal_;
  std::shared_ptr<PublishedSums> sums_;
  std::optional<UnfinishedAttempt> unfinished_;
  std::optional<TimePoint> waiting_since_;
};

}  // namespace sotto::coordinator

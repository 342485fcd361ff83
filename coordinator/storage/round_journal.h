// What is durable of the attempt under way, in two files of the run folder: `round.log`, the facts
// of its machine, and `uploads.spool`, the masked uploads. A process that begins after a kill -9
// makes the same machine from them. One thread; the run folder's lock keeps a second process away.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "common/storage/append_log.h"
#include "coordinator/protocol/round.h"
#include "coordinator/storage/upload_spool.h"

namespace sotto::coordinator {

/// What an attempt's plan is made of again, beside the job, the roster and the model.
struct AttemptBegun {
  RunId run{};
  RoundNumber round;
  EvaluationCounters counters = EvaluationCounters::kSummed;
  std::vector<MemberId> cohort;  // ascending
  std::uint32_t least_sum = 0;   // the most that one of them declared as the least in its sums
  /// Of each of the cohort, what it had declared as the size of its evaluation split; 0, or no
  /// more elements, where it had not answered.
  std::vector<std::uint64_t> declared{};
  Bytes32 header_hash{};  // the plan that is made again must be the one that was offered
};

struct UnfinishedAttempt {
  AttemptBegun begun;
  std::vector<RoundFact> facts;
};

class RoundJournal {
 public:
  struct Opened;

  /// An Error that says what to do when a file is damaged or of another version.
  static Result<Opened> open(const std::filesystem::path& folder);

  /// A new attempt; what is kept of the one before is gone. Durable before it returns, and before
  /// the attempt's first offer leaves.
  Status begin(const AttemptBegun& attempt);
  /// Kept with the next commit().
  void append(const std::vector<RoundFact>& facts);
  /// Whole uploads and facts so far are durable when it returns OK: at most two syncs.
  Status commit();

  [[nodiscard]] bool has_uncommitted() const { return !pending_.empty(); }

  /// The attempt is over and its result durable elsewhere: gives the space of its uploads back.
  Status end();

  [[nodiscard]] std::shared_ptr<UploadStore> uploads() const { return spool_; }

 private:
  RoundJournal(std::filesystem::path log_file, std::optional<journal::AppendLog> log,
               std::shared_ptr<UploadSpool> spool)
      : log_file_(std::move(log_file)), log_(std::move(log)), spool_(std::move(spool)) {}

  Status write(BytesView record);

  std::filesystem::path log_file_;
  std::optional<journal::AppendLog> log_;
  std::shared_ptr<UploadSpool> spool_;
  std::vector<Bytes> pending_;  // encoded facts
};

struct RoundJournal::Opened {
  RoundJournal journal;
  /// None when the last attempt ended, or none ever began.
  std::optional<UnfinishedAttempt> unfinished;
};

}  // namespace sotto::coordinator

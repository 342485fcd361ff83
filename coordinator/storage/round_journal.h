// RoundJournal keeps the attempt under way durable, in two files of the run folder: `round.log`,
// the facts of its machine, and `uploads.spool`, the masked uploads. A process that starts after a
// kill -9 restores the same machine from them. One thread; the lock of the run folder excludes a
// second process.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "common/storage/append_log.h"
#include "coordinator/protocol/round.h"
#include "coordinator/storage/upload_spool.h"

namespace sotto::coordinator {

/// The values that, with the job, the roster and the model, determine an attempt's plan.
struct AttemptBegun {
  RunId run{};
  RoundNumber round;
  EvaluationCounters counters = EvaluationCounters::kSummed;
  std::vector<MemberId> cohort;  // ascending
  std::uint32_t least_sum = 0;   // the s_min of the header, at least the least sum of each
  /// For each member of the cohort, the size that it had declared for its evaluation split; 0, or
  /// no more elements, where it had not answered.
  std::vector<std::uint64_t> declared{};
  Bytes32 header_hash{};  // of the plan that was offered; the plan made again must match
};

struct UnfinishedAttempt {
  AttemptBegun begun;
  std::vector<RoundFact> facts;
};

class RoundJournal {
 public:
  struct Opened;

  /// Opens the journal in `folder`. An Error that says what to do when a file is damaged or of
  /// another version.
  static Result<Opened> open(const std::filesystem::path& folder);

  /// Begins a new attempt and deletes what is kept of the one before. Durable before it returns,
  /// and so before the attempt's first offer leaves.
  Status begin(const AttemptBegun& attempt);
  /// Adds facts, which the next commit() makes durable.
  void append(const std::vector<RoundFact>& facts);
  /// Complete uploads and facts so far are durable when it returns OK. Takes one sync for the
  /// uploads and one for each 16 MiB of facts.
  Status commit();

  [[nodiscard]] bool has_uncommitted() const { return !pending_.empty(); }

  /// The attempt is over and its result is durable elsewhere: releases the disk space of its
  /// uploads.
  Status end();

  [[nodiscard]] std::shared_ptr<UploadStore> uploads() const { return spool_; }

 private:
  RoundJournal(std::filesystem::path log_file, std::optional<storage::AppendLog> log,
               std::shared_ptr<UploadSpool> spool)
      : log_file_(std::move(log_file)), log_(std::move(log)), spool_(std::move(spool)) {}

  Status write(BytesView record);

  std::filesystem::path log_file_;
  std::optional<storage::AppendLog> log_;
  std::shared_ptr<UploadSpool> spool_;
  std::vector<Bytes> pending_;  // encoded facts
};

struct RoundJournal::Opened {
  RoundJournal journal;
  /// Nothing when the last attempt ended without a sum, or none ever began. After an attempt with a
  /// sum it is that attempt: the caller compares it with the checkpoint.
  std::optional<UnfinishedAttempt> unfinished;
};

}  // namespace sotto::coordinator

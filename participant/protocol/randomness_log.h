// RandomnessLog is a participant's durable record of shared randomness, in `genesis.log` beside the
// guard (docs/secure-aggregation.md, 2.1): how often it has revealed for a run, and the one value
// that it accepted for that run. Like the guard it must never be restored from a backup: a member
// that has lost this record would let the coordinator choose among more values than the analysis
// accounts for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/secagg/randomness/shared_randomness.h"
#include "common/storage/append_log.h"

namespace sotto::participant {

class RandomnessLog {
 public:
  /// Opens the file and locks it exclusively. Errors: another process holds the lock, or the file
  /// is damaged. A torn last record is dropped, because the message that it was written for has not
  /// left.
  static Result<RandomnessLog> open(const std::filesystem::path& file);

  [[nodiscard]] secagg::RandomnessMemory memory(const RunId& run) const;

  /// The number of reveals, for all runs, at that time or later by this site's clock.
  [[nodiscard]] std::uint32_t reveals_since(std::uint64_t unix_seconds) const;

  /// Both are durable when they return without an Error.
  Status revealed(const RunId& run, std::uint64_t unix_seconds);
  Status keep(const RunId& run, const secagg::SharedRandomness& shared_randomness);

 private:
  explicit RandomnessLog(storage::AppendLog log) : log_(std::move(log)) {}

  storage::AppendLog log_;
  std::map<RunId, secagg::RandomnessMemory> memories_;
  std::vector<std::uint64_t> reveals_;  // times; records of older files have none
};

}  // namespace sotto::participant

// Complaints about shares over the rounds of a run (docs/secure-aggregation.md, "Bad shares"): one
// of two members lies each time, so whom it happens to with many others is worth an operator's
// look, and leaves first. Durable, so that a restart of the coordinator forgets nobody.
#pragma once

#include <filesystem>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/secagg/conflicts.h"

namespace sotto::coordinator {

class ConflictLog {
 public:
  /// Empty and nowhere: add() is not for it.
  ConflictLog() = default;
  /// Reads `file` when it is there: conflicts.json of the run folder. An Error when it is damaged.
  static Result<ConflictLog> open(std::filesystem::path file);

  /// Durable when it returns OK; nothing is written for a round without an edge, nor for one that
  /// is known: an attempt that goes on after a crash may find its edges again.
  Status add(RoundNumber round, const std::vector<secagg::Conflict>& edges);

  /// Edges a member had, at either end.
  [[nodiscard]] const std::map<MemberId, std::uint64_t>& counts() const { return counts_; }

  /// Those of attempts before this one.
  [[nodiscard]] std::map<MemberId, std::uint64_t> counts_before(RoundNumber round) const;

 private:
  struct Entry {
    RoundNumber round;
    secagg::Conflict edge;
  };

  void count(const Entry& entry);

  std::filesystem::path file_;
  std::vector<Entry> entries_;
  std::map<MemberId, std::uint64_t> counts_;
};

}  // namespace sotto::coordinator

// Complaints about shares and pre-shared keys over the rounds of a run, and what became of them
// (docs/secure-aggregation.md, "Bad shares"). Members whose keys differ take turns in leaving.
// Durable, so that a restart of the coordinator forgets nobody's turn.
#pragma once

#include <filesystem>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/secagg/evidence/conflicts.h"

namespace sotto::coordinator {

class ConflictLog {
 public:
  /// Empty and nowhere: add() is not for it.
  ConflictLog() = default;
  /// Reads `file` when it is there: conflicts.json of the run folder. An Error when it is damaged.
  static Result<ConflictLog> open(std::filesystem::path file);

  /// Durable when it returns OK; nothing is written for a round without a complaint, nor for one
  /// that is known: an attempt that goes on after a crash may settle its complaints again.
  Status add(RoundNumber round, const std::vector<secagg::Conflict>& conflicts);

  /// How often each happened.
  [[nodiscard]] const std::map<secagg::Conflict, std::uint64_t>& counts() const { return counts_; }

  /// Who left in the last attempt before this one in which a pair's keys differed.
  [[nodiscard]] secagg::WhoLeft<MemberId> keys_before(RoundNumber round) const;

 private:
  struct Entry {
    RoundNumber round;
    secagg::Conflict conflict;
  };

  void count(const Entry& entry);

  std::filesystem::path file_;
  std::vector<Entry> entries_;
  std::map<secagg::Conflict, std::uint64_t> counts_;
};

}  // namespace sotto::coordinator

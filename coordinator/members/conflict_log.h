// ConflictLog records the complaints about shares and pre-shared keys over the rounds of a run, and
// how each ended (docs/secure-aggregation.md, "Bad shares"). Two members whose keys differ take
// turns in leaving. Durable, so that a restart of the coordinator does not lose the turns.
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
  /// An empty log without a file; add() must not be called.
  ConflictLog() = default;
  /// Reads `file`, conflicts.json of the run folder, if it exists. An Error when it is damaged.
  static Result<ConflictLog> open(std::filesystem::path file);

  /// Adds the conflicts of a round. Durable when it returns OK. Nothing is written for a round
  /// without a complaint, nor for one that is known: an attempt that continues after a crash may
  /// settle its complaints again.
  Status add(RoundNumber round, const std::vector<secagg::Conflict>& conflicts);

  /// How often each conflict happened.
  [[nodiscard]] const std::map<secagg::Conflict, std::uint64_t>& counts() const { return counts_; }

  /// For each pair whose keys differed: which of the two left in the last such attempt before
  /// `round`.
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

// The abort of a round (docs/secure-aggregation.md, 2.7). An abort certificate (AbortCertificate)
// consists of Q members' signed statements that they have endorsed no survivors under h and never
// will. No survivor certificate for h can exist beside it, so nothing of the round was opened.
// Voting needs the identity keys alone and none of the round's secrets.
#pragma once

#include <map>

#include "common/base/result.h"
#include "common/secagg/server/server.h"
#include "common/secagg/shared/cohort.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// The values that a certificate is checked against. Everybody who has the round's header knows
/// them.
struct AbortRules {
  Bytes32 h{};
  std::uint32_t Q = 0;  // NOLINT: the specification's name
  std::uint32_t witnesses = 0;
  Cohort cohort;
};

/// Checks that Q distinct witnesses voted for the abort of this h. An Error says what is missing.
/// Signatures are checked on `threads` threads.
Status check_abort_certificate(const wire::AbortCertificate& m8, const AbortRules& rules,
                               unsigned threads);

/// AbortBallot collects the abort votes at the coordinator. It counts one vote of each witness; a
/// repeated vote has the same bytes.
class AbortBallot {
 public:
  explicit AbortBallot(AbortRules rules);

  MessageResult accept(const wire::AbortVote& vote);

  [[nodiscard]] const IndexSet& voted() const { return voted_; }

  [[nodiscard]] bool has_quorum() const { return voted_.size() >= rules_.Q; }

  /// Returns all votes so far. SOTTO_CHECKs the quorum.
  [[nodiscard]] wire::AbortCertificate certificate() const;

 private:
  AbortRules rules_;
  IndexSet voted_;
  std::map<std::uint32_t, wire::AbortVote> votes_;  // by cohort index
};

}  // namespace sotto::secagg

// Burning a round (docs/secure-aggregation.md, 2.7): Q members who signed that they have endorsed
// no survivors under h and never will. No survivor certificate for h can exist beside it, so
// nothing of the round was opened. Needs identity keys alone, none of the round's secrets.
#pragma once

#include <map>

#include "common/base/result.h"
#include "common/secagg/server/server.h"
#include "common/secagg/shared/cohort.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// What a certificate is checked against; known to everybody who has the round's header.
struct BurnRules {
  Bytes32 h{};
  std::uint32_t Q = 0;  // NOLINT: the specification's name
  std::uint32_t witnesses = 0;
  Cohort cohort;
};

/// Q distinct witnesses voted over this very h. An Error says what is missing. Signatures are
/// checked on so many threads.
Status check_burn_certificate(const wire::BurnCertificate& m8, const BurnRules& rules,
                              unsigned threads);

/// The coordinator's box for votes. One vote a witness; a vote is the same bytes every time.
class BurnBallot {
 public:
  explicit BurnBallot(BurnRules rules);

  Verdict accept(const wire::BurnVote& vote);

  [[nodiscard]] const IndexSet& voted() const { return voted_; }

  [[nodiscard]] bool has_quorum() const { return voted_.size() >= rules_.Q; }

  /// All votes so far. SOTTO_CHECKs the quorum.
  [[nodiscard]] wire::BurnCertificate certificate() const;

 private:
  BurnRules rules_;
  IndexSet voted_;
  std::map<std::uint32_t, wire::BurnVote> votes_;  // by cohort index
};

}  // namespace sotto::secagg

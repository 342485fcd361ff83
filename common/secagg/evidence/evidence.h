// Evidence (docs/secure-aggregation.md, "Evidence") consists of signed messages that contradict
// each other or a commitment, with the round's header. Anybody who has the roster can check it,
// offline and without trusting the party that kept it. It contains no secret that had not been sent
// to the coordinator before: the shares in it are those of M9, revealed for that round's sum, and
// those that a dealer opened in M4C.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/secagg/shared/cohort.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

enum class EvidenceKind : std::uint8_t {
  /// Two different messages of one kind by one signer: M1, M3 (one entry), M4A, M4C, M5 or M9 of a
  /// member; M0, M2, M4, M4U or M6 of the coordinator (header, U1, V, U2, S).
  kTwoMessages = 1,
  /// Endorsements of two S by one member, each as an UnmaskRequest with that endorsement alone.
  kTwoEndorsements = 2,
  /// An endorsement (as above) and a vote to abort the same round (AbortVote).
  kEndorsedAndAborted = 3,
  /// A dealer's entry of M3 and an M9 whose share does not fit it.
  kWrongShare = 4,
  /// A dealer's M1, then for each of t holders the entry of M3 and an M9 that fits it. Together
  /// they do not give what the M1 committed to.
  kInconsistentDealer = 5,
  /// A dealer's M1, an entry of M3 with an escrow, then shares as above that give r of the M1. The
  /// escrow does not open under r.
  kClosedEscrow = 6,
  /// A dealer's entry of M3 and an M4C of the same dealer whose share for that holder does not fit
  /// it.
  kWrongOpening = 7
};

struct Evidence {
  EvidenceKind kind{};
  wire::RoundHeader header;
  std::vector<MemberId> cohort;  // by cohort index
  std::vector<wire::Message> messages;
  bool operator==(const Evidence&) const = default;
};

/// The keys that a checker knows from its own copy of the roster.
struct EvidenceRoster {
  Bytes32 roster_hash{};
  crypto::VerifyKey coordinator{};
  std::vector<CohortMember> members;  // ascending
};

struct Finding {
  MemberId offender{};  // the offender; 0: the coordinator
  std::string rule;     // the rule that it violated, in words
};

/// Returns what the evidence proves. An Error says why it proves nothing. Pure.
Result<Finding> check_evidence(const Evidence& evidence, const EvidenceRoster& roster);

/// The canonical encoding: encode_evidence() turns what parse_evidence() accepts back into the same
/// bytes.
Bytes encode_evidence(const Evidence& evidence);
Result<Evidence> parse_evidence(BytesView bytes);

/// Returns the evidence that two messages give together, each in the form above. Empty when they
/// prove nothing.
std::vector<Evidence> contradictions(const wire::RoundHeader& header, const Cohort& cohort,
                                     const EvidenceRoster& roster, const wire::Message& first,
                                     const wire::Message& second);

}  // namespace sotto::secagg

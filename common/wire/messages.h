// The messages between a participant and the coordinator, as plain structs, and the variant of all
// of them. common/wire/README.md has the byte layouts. A struct is valid only as far as decode()
// has checked it (lengths, counts, ranges); common/secagg checks signatures and rules.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/crypto/aead.h"
#include "common/crypto/key_agreement.h"
#include "common/crypto/sign.h"
#include "common/encoding/lanes.h"

namespace sotto::wire {

/// One bit for each cohort index (Offer: for each roster rank), least significant bit of byte 0
/// first, spare bits zero.
using Bitmap = Bytes;

enum class Graph : std::uint8_t { kComplete = 0, kCirculant = 1 };

/// The header in M0. Its canonical bytes are hashed into h, which is in every signature and key of
/// the round.
struct RoundHeader {
  RunId run{};
  RoundNumber round;
  Bytes32 roster_hash{};
  Bytes32 cohort_hash{};
  std::uint32_t n = 0;          // cohort size
  std::uint32_t C = 0;          // NOLINT: the specification's name. Colluders assumed
  std::uint32_t k = 0;          // degree: n - 1 in the complete graph, even in the circulant one
  std::uint32_t t = 0;          // shares that restore a secret
  std::uint32_t q = 0;          // window rule (0 in the complete graph)
  std::uint32_t Q = 0;          // NOLINT: endorsements in a certificate
  std::uint32_t s_min = 0;      // fewest survivors
  std::uint32_t witnesses = 0;  // their signatures make certificates; the first by index
  Graph graph = Graph::kComplete;
  Bytes32 model_hash{};
  Bytes32 config_hash{};  // the job's hash
  std::uint8_t prg_id = 1;
  std::vector<encoding::LaneSpec> lanes;

  bool operator==(const RoundHeader&) const = default;
};

/// The durations of Advertise, Share, Check (and Settle, where it takes place), Upload (training
/// included), Endorse and Unmask. Not hashed into h.
using Deadlines = std::array<std::uint64_t, 6>;

struct Offer {  // M0
  RoundHeader header;
  Deadlines deadline_ms{};
  Bitmap cohort;  // over the roster, ascending id
  crypto::Signature signature{};
  bool operator==(const Offer&) const = default;
};

struct Advertise {  // M1
  MemberId id{};
  crypto::PublicKey pk_enc{};
  crypto::PublicKey pk_mask{};
  Bytes32 cm_b{};
  crypto::Signature signature{};
  bool operator==(const Advertise&) const = default;
};

struct KeyList {  // M2
  Bitmap u1;
  crypto::Signature signature{};
  std::vector<Advertise> advertisements;  // of neighbours in U1, ascending index
  bool operator==(const KeyList&) const = default;
};

/// The value that a pre-shared key contributes to the masks of a round: a commitment to it, and the
/// value sealed under r.
struct PresharedEscrow {
  Bytes32 commitment{};
  std::array<std::uint8_t, 48> sealed{};
  bool operator==(const PresharedEscrow&) const = default;
};

struct ShareEntry {  // of M3; the entry to oneself has nonce and ciphertext all zero
  MemberId to{};
  crypto::Nonce nonce{};
  std::array<std::uint8_t, 80> ciphertext{};
  Bytes32 cb{};
  Bytes32 cr{};
  std::optional<PresharedEscrow> escrow{};  // where dealer and holder have a pre-shared key
  crypto::Signature signature{};
  bool operator==(const ShareEntry&) const = default;
};

struct Shares {  // M3
  MemberId id{};
  // One for each holder in U1 (the sender included in the complete graph), ascending cohort index.
  std::vector<ShareEntry> entries;
  bool operator==(const Shares&) const = default;
};

struct ForwardedShare {
  MemberId from{};
  ShareEntry entry;
  bool operator==(const ForwardedShare&) const = default;
};

struct ShareForward {  // M4
  Bitmap v;
  crypto::Signature signature{};
  std::vector<ForwardedShare> entries;  // from neighbours in V, ascending index
  bool operator==(const ShareForward&) const = default;
};

struct ShareCheck {  // M4A; both bitmaps have the same length
  MemberId id{};
  Bytes32 d_v{};
  Bitmap bad_dealers;  // whose shares do not open, or do not fit their commitments
  Bitmap other_keys;   // dealers with a differing pre-shared key, whose shares are not judged
  crypto::Signature signature{};
  bool operator==(const ShareCheck&) const = default;
};

/// Asks a dealer to open the shares about which the checks complain.
struct Complaints {                // M4B
  std::vector<ShareCheck> checks;  // each names the dealer; ascending cohort index
  bool operator==(const Complaints&) const = default;
};

/// Both shares of one holder, in the clear.
struct OpenedShare {
  MemberId member{};  // the holder in an Opening, the dealer in a Fix
  Bytes32 b{};
  Bytes32 r{};
  bool operator==(const OpenedShare&) const = default;
};

struct Opening {  // M4C, by a dealer
  MemberId id{};
  Bytes32 d_v{};
  std::vector<OpenedShare> shares;  // of the complaining holders, ascending index
  crypto::Signature signature{};
  bool operator==(const Opening&) const = default;
};

struct Fix {  // M4U
  Bitmap u2;
  crypto::Signature signature{};
  // Shares of dealers in U2 that opened them after the recipient's complaint, ascending cohort
  // index. They are not signed; the recipient checks them against the dealers' commitments.
  std::vector<OpenedShare> opened{};
  bool operator==(const Fix&) const = default;
};

/// The header of M5. The packed lanes, one after the other, are fetched as the blob named hash_y.
struct UploadHeader {
  MemberId id{};
  Bytes32 d_u2{};
  Bytes32 hash_y{};
  crypto::Signature signature{};
  bool operator==(const UploadHeader&) const = default;
};

struct Survivors {  // M6
  Bytes32 d_u2{};
  Bitmap s;
  crypto::Signature signature{};
  bool operator==(const Survivors&) const = default;
};

struct Endorse {  // M7
  MemberId id{};
  crypto::Signature signature{};
  bool operator==(const Endorse&) const = default;
};

struct UnmaskRequest {               // M8: the survivor certificate
  std::vector<Endorse> certificate;  // at least Q, ascending cohort index
  Bytes32 d_u2{};
  Bytes32 d_s{};
  // The headers of those members of S of which the recipient holds a share: all of S in the
  // complete graph. Ascending cohort index.
  std::vector<UploadHeader> headers;
  bool operator==(const UnmaskRequest&) const = default;
};

enum class ShareKind : std::uint8_t { kSelfMask = 0, kMaskKey = 1 };

struct RevealedShare {
  MemberId dealer{};
  ShareKind kind{};
  Bytes32 share{};
  bool operator==(const RevealedShare&) const = default;
};

struct UnmaskResponse {  // M9
  MemberId id{};
  Bytes32 d_u2{};
  Bytes32 d_s{};
  std::vector<RevealedShare> shares;  // ascending cohort index of the dealer
  crypto::Signature signature{};
  bool operator==(const UnmaskResponse&) const = default;
};

// ---- Abort of a round (section 2.7): kind 1 of the types of M6, M7 and M8

struct AbortRequest {  // M6, kind 1
  RoundHeader header;  // without deadlines; a member that never joined computes h from it
  crypto::Signature signature{};
  bool operator==(const AbortRequest&) const = default;
};

struct AbortVote {  // M7, kind 1
  MemberId id{};
  crypto::Signature signature{};
  bool operator==(const AbortVote&) const = default;
};

struct AbortCertificate {        // M8, kind 1
  std::vector<AbortVote> votes;  // at least Q, ascending cohort index
  bool operator==(const AbortCertificate&) const = default;
};

enum class RoundStatus : std::uint8_t { kDone = 0, kCancelled = 1, kAborted = 2, kLost = 3 };

struct RoundResult {  // M10
  RoundStatus status{};
  Bytes32 d_s{};
  Bytes32 aggregate_hash{};
  Bytes32 model_hash{};  // of the model after this round
  crypto::Signature signature{};
  bool operator==(const RoundResult&) const = default;
};

// ---- The shared randomness of a run (docs/secure-aggregation.md, 2.1)

/// Asks for a commitment. Another attempt asks for a new one.
struct RandomnessCall {  // C to P
  RunId run{};
  Bytes32 attempt{};
  bool operator==(const RandomnessCall&) const = default;
};

struct RandomnessEntry {
  MemberId id{};
  Bytes32 commitment{};
  crypto::Signature signature{};
  bool operator==(const RandomnessEntry&) const = default;
};

struct RandomnessCommit {  // G1, P to C
  RunId run{};
  Bytes32 attempt{};  // of the call: a hint to distinguish a late commitment from a wrong one
  RandomnessEntry entry;
  bool operator==(const RandomnessCommit&) const = default;
};

struct RandomnessList {  // G2, C to P
  RunId run{};
  std::vector<RandomnessEntry> entries;  // ascending id
  crypto::Signature signature{};
  bool operator==(const RandomnessList&) const = default;
};

struct RandomnessReveal {  // G3, P to C
  RunId run{};
  MemberId id{};
  Bytes32 digest{};  // of the list
  Bytes32 r{};
  crypto::Signature signature{};
  bool operator==(const RandomnessReveal&) const = default;
};

/// G4, C to P: all commitments and reveals, so that each member can check the result itself, also a
/// member that connects later.
struct RandomnessProof {
  RunId run{};
  std::vector<RandomnessEntry> entries;   // ascending id
  std::vector<RandomnessReveal> reveals;  // of the same members
  bool operator==(const RandomnessProof&) const = default;
};

// ---- Messages outside of rounds

/// The version of the protocol: the version of every frame, and the one in a Hello. Two programs
/// with different versions do not work together; each logs the version of the other.
inline constexpr std::uint16_t kProtocol = 3;

/// The first message on every connection, repeated every few seconds to show that the sender is
/// alive. The coordinator answers with its own Hello where the two do not fit together because of
/// another protocol or another roster. It is unsigned and only a hint: nothing follows from it but
/// a log line and that no job is offered.
struct Hello {  // P to C; C to P
  std::uint32_t protocol = kProtocol;
  RunId run{};  // the run that a participant takes part in; zero: none, send a job offer
  std::uint32_t roster_version = 0;
  Bytes32 roster_hash{};  // of the sender's roster; a participant's is the one that it has pinned
  bool operator==(const Hello&) const = default;
};

struct JobOffer {  // C to P; signed "SOTTO sig job" over run, H("SOTTO job", job)
  RunId run{};
  std::string job;  // the job's canonical JSON
  crypto::Signature signature{};
  bool operator==(const JobOffer&) const = default;
};

enum class JobAnswer : std::uint8_t {
  kDecline = 0,
  kAccept = 1,
  kPostpone = 2  // the site may accept later, by itself or by a person's decision, and then sends
                 // kAccept unasked
};

/// A site's answer to a job offer. Every field is a function of the job, the site's policy, its
/// declared sizes and its ledger, and never of the records themselves.
struct JobReply {  // P to C; signed "SOTTO sig reply" over all fields before the signature
  RunId run{};
  Bytes32 job_hash{};
  MemberId id{};
  JobAnswer answer = JobAnswer::kDecline;
  std::uint64_t training_examples = 0;    // declared by the site, or its declared number of persons
                                          // if the job protects these; 0: it declares none
  std::uint64_t evaluation_examples = 0;  // declared; the most that it evaluates
  std::uint32_t least_sum = 0;            // fewest updates in a sum that the site takes part in
  std::string reason;                     // for people; empty when accepted
  crypto::Signature signature{};
  bool operator==(const JobReply&) const = default;
};

/// The sender leaves this round for a reason of its own (its data, its policy, its disk), so that
/// the coordinator does not wait for the deadline. It is unsigned and only a hint: all that it can
/// do is to make the connection's own member a dropout.
struct LeaveRound {  // P to C
  std::string reason;
  bool operator==(const LeaveRound&) const = default;
};

/// Large payloads are pulled by their receiver in ranges, so that it bounds the data in flight, and
/// a transfer continues at the range after a lost link. A blob is named by its hash (model_hash,
/// hash_y) and checked once it is complete.
struct BlobRequest {
  Bytes32 blob{};
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  bool operator==(const BlobRequest&) const = default;
};

struct BlobData {
  Bytes32 blob{};
  std::uint64_t total = 0;
  std::uint64_t offset = 0;
  Bytes data;  // empty with total 0: the sender does not have it
  bool operator==(const BlobData&) const = default;
};

struct RunFinished {  // C to P; signed "SOTTO sig finish" over run, completed, model_hash, reason
  RunId run{};
  bool completed = false;
  Bytes32 model_hash{};
  std::string reason;
  crypto::Signature signature{};
  bool operator==(const RunFinished&) const = default;
};

using Message =
    std::variant<Offer, Advertise, KeyList, Shares, ShareForward, ShareCheck, Complaints, Opening,
                 Fix, UploadHeader, Survivors, Endorse, UnmaskRequest, UnmaskResponse, RoundResult,
                 AbortRequest, AbortVote, AbortCertificate, Hello, JobOffer, JobReply, LeaveRound,
                 BlobRequest, BlobData, RunFinished, RandomnessCall, RandomnessCommit,
                 RandomnessList, RandomnessReveal, RandomnessProof>;

/// Returns the name of the message, such as "Advertise", for logs and metrics.
std::string_view name_of(const Message& message);

/// Returns whether the message is one of the five of the shared randomness (Randomness*).
bool is_about_shared_randomness(const Message& message);

/// A message with the fields of its frame. The round (0 outside of rounds) is an unauthenticated
/// hint by which a late message is distinguished from a wrong one; signatures bind a message to its
/// round by h.
struct Envelope {
  MemberId
      peer{};  // outgoing: the recipient; incoming: the sender, as authenticated by the transport
  RoundNumber round;
  Message message;
};

}  // namespace sotto::wire

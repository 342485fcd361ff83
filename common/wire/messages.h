// Every message between a participant and the coordinator, as plain structs, and the one variant of
// them. Byte layouts: common/wire/README.md. Structs say nothing about validity beyond what
// decode() checked (lengths, counts, ranges); signatures and rules are common/secagg's.
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

/// One bit a cohort index (Offer: a roster rank), least significant bit of byte 0 first, spare bits
/// zero.
using Bitmap = Bytes;

enum class Graph : std::uint8_t { kComplete = 0, kCirculant = 1 };

/// M0's header; its canonical bytes are hashed into h, which is in every signature and key of the
/// round.
struct RoundHeader {
  RunId run{};
  RoundNumber round;
  Bytes32 roster_hash{};
  Bytes32 cohort_hash{};
  std::uint32_t n = 0;          // cohort size
  std::uint32_t C = 0;          // NOLINT: the specification's name. Colluders assumed
  std::uint32_t k = 0;          // degree: n - 1 in the complete graph, even in the circulant one
  std::uint32_t t = 0;          // shares that open a secret
  std::uint32_t q = 0;          // window rule (0 in the complete graph)
  std::uint32_t Q = 0;          // NOLINT: endorsements in a certificate
  std::uint32_t s_min = 0;      // fewest survivors
  std::uint32_t witnesses = 0;  // whose signatures make certificates: the first by cohort index
  Graph graph = Graph::kComplete;
  Bytes32 model_hash{};
  Bytes32 config_hash{};  // the job's hash
  std::uint8_t prg_id = 1;
  std::vector<codec::LaneSpec> lanes;

  bool operator==(const RoundHeader&) const = default;
};

/// Durations of Advertise, Share, Check (and Settle, where there is one), Upload (training
/// included), Endorse, Unmask. Not hashed into h.
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
  std::vector<Advertise> advertisements;  // of my neighbours in U1, ascending cohort index
  bool operator==(const KeyList&) const = default;
};

/// What a pre-shared key becomes in the masks of a round: committed to, and sealed under r.
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
  std::optional<PresharedEscrow> escrow{};  // when dealer and holder have a key of their own
  crypto::Signature signature{};
  bool operator==(const ShareEntry&) const = default;
};

struct Shares {  // M3
  MemberId id{};
  // One a holder in U1 (self included in the complete graph), ascending cohort index.
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
  std::vector<ForwardedShare> entries;  // from my neighbours in V, ascending cohort index
  bool operator==(const ShareForward&) const = default;
};

struct ShareCheck {  // M4A; its bitmaps have one length
  MemberId id{};
  Bytes32 d_v{};
  Bitmap bad_dealers;  // whose shares do not open, or are not what they committed to
  Bitmap other_keys;   // dealers whose pre-shared key is not mine: no share is judged, no mask fits
  crypto::Signature signature{};
  bool operator==(const ShareCheck&) const = default;
};

/// Asks a dealer to open the shares that these are about.
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
  std::vector<OpenedShare> shares;  // of those who complained, ascending cohort index
  crypto::Signature signature{};
  bool operator==(const Opening&) const = default;
};

struct Fix {  // M4U
  Bitmap u2;
  crypto::Signature signature{};
  // Of dealers in U2 that opened what I complained about, ascending cohort index. Not signed: they
  // are checked against the dealers' commitments.
  std::vector<OpenedShare> opened{};
  bool operator==(const Fix&) const = default;
};

/// M5's head. The packed lanes, one after the other, are fetched as the blob named hash_y.
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
  // Of those of S whose share I hold: all in the complete graph. Ascending cohort index.
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

// ---- burning a round (section 2.7): kind 1 of the types of M6, M7 and M8

struct BurnRequest {   // M6, kind 1
  RoundHeader header;  // without deadlines: a member that never joined learns from it what h is
  crypto::Signature signature{};
  bool operator==(const BurnRequest&) const = default;
};

struct BurnVote {  // M7, kind 1
  MemberId id{};
  crypto::Signature signature{};
  bool operator==(const BurnVote&) const = default;
};

struct BurnCertificate {        // M8, kind 1
  std::vector<BurnVote> votes;  // at least Q, ascending cohort index
  bool operator==(const BurnCertificate&) const = default;
};

enum class RoundStatus : std::uint8_t { kDone = 0, kCancelled = 1, kBurnt = 2, kLost = 3 };

struct RoundResult {  // M10
  RoundStatus status{};
  Bytes32 d_s{};
  Bytes32 aggregate_hash{};
  Bytes32 model_hash{};  // of the model after this round
  crypto::Signature signature{};
  bool operator==(const RoundResult&) const = default;
};

// ---- the genesis of a run (docs/secure-aggregation.md, 2.1)

/// Asks for a commitment; another attempt asks for a fresh one.
struct GenesisCall {  // C to P
  RunId run{};
  Bytes32 attempt{};
  bool operator==(const GenesisCall&) const = default;
};

struct GenesisEntry {
  MemberId id{};
  Bytes32 commitment{};
  crypto::Signature signature{};
  bool operator==(const GenesisEntry&) const = default;
};

struct GenesisCommit {  // G1, P to C
  RunId run{};
  Bytes32 attempt{};  // of the call: a hint that tells late from wrong
  GenesisEntry entry;
  bool operator==(const GenesisCommit&) const = default;
};

struct GenesisList {  // G2, C to P
  RunId run{};
  std::vector<GenesisEntry> entries;  // ascending id
  crypto::Signature signature{};
  bool operator==(const GenesisList&) const = default;
};

struct GenesisReveal {  // G3, P to C
  RunId run{};
  MemberId id{};
  Bytes32 digest{};  // of the list
  Bytes32 r{};
  crypto::Signature signature{};
  bool operator==(const GenesisReveal&) const = default;
};

/// G4, C to P: everything, so that each member checks it by itself, also one that comes later.
struct GenesisProof {
  RunId run{};
  std::vector<GenesisEntry> entries;   // ascending id
  std::vector<GenesisReveal> reveals;  // of the same members
  bool operator==(const GenesisProof&) const = default;
};

// ---- around the rounds

/// The protocol that this program speaks: the version of every frame, and what a Hello carries. Two
/// programs with different protocols do not work together; each logs which one the other speaks.
inline constexpr std::uint16_t kProtocol = 3;

/// First message on every connection, and again every few seconds: the sender is there. The
/// coordinator answers with its own where the two do not fit together: another protocol, another
/// roster. A hint: unsigned, nothing but a line for people and the lack of a job offer follows.
struct Hello {  // P to C; C to P
  std::uint32_t protocol = kProtocol;
  RunId run{};  // the run that a participant has agreed to; zero: none, a job offer is welcome
  std::uint32_t roster_version = 0;
  Bytes32 roster_hash{};  // that the sender works with: a participant's is the one it has pinned
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
  kPostpone =
      2  // time or a person of the site may turn it into kAccept; the site says so by itself
};

/// A site's answer to a job offer. Every field is a function of the job, the site's policy, its
/// declared sizes and its ledger, never of the records themselves.
struct JobReply {  // P to C; signed "SOTTO sig reply" over all fields before the signature
  RunId run{};
  Bytes32 job_hash{};
  MemberId id{};
  JobAnswer answer = JobAnswer::kDecline;
  std::uint64_t training_examples = 0;    // that the site declares; 0: it declares none
  std::uint64_t evaluation_examples = 0;  // that it declares: it evaluates at most so many
  std::uint32_t least_sum = 0;            // fewest updates in a sum that the site takes part in
  std::string reason;                     // why not, for people; empty when accepted
  crypto::Signature signature{};
  bool operator==(const JobReply&) const = default;
};

/// The sender leaves this round on its own account (its data, its policy, its disk), so nobody
/// waits for the deadline. A hint: unsigned, it can only make a dropout of the connection's own
/// member.
struct LeaveRound {  // P to C
  std::string reason;
  bool operator==(const LeaveRound&) const = default;
};

/// Big payloads are pulled by their receiver in ranges, so that it bounds what is in flight and a
/// cut link resumes at the range. A blob is named by its hash (model_hash, hash_y) and checked when
/// whole.
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
                 BurnRequest, BurnVote, BurnCertificate, Hello, JobOffer, JobReply, LeaveRound,
                 BlobRequest, BlobData, RunFinished, GenesisCall, GenesisCommit, GenesisList,
                 GenesisReveal, GenesisProof>;

/// "Advertise", for logs and metrics.
std::string_view name_of(const Message& message);

/// True for the five messages of a genesis.
bool is_about_genesis(const Message& message);

/// A message with its frame: who says it sent it, and about which round (0 outside rounds). The
/// round is an unauthenticated hint that tells "late" from "wrong"; what counts is h inside the
/// signatures.
struct Envelope {
  MemberId
      peer{};  // outgoing: the recipient; incoming: the sender as the transport authenticated it
  RoundNumber round;
  Message message;
};

}  // namespace sotto::wire

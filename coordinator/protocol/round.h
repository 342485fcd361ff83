// RoundStateMachine: one attempt at one round at the coordinator, from the offer to the plain sum.
// Deterministic, and sans-I/O but for the UploadStore that it is given: verbs in, Output out;
// phases Advertise, Share, Check, Settle (when a dealer has to open shares), Upload, Endorse,
// Unmask and, when there can be no sum, Burn as a variant of small structs. The driver
// (coordinator.cc, or the simulator) persists first, then sends. The facts that it kept, replayed,
// are the machine again. One thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/sign.h"
#include "common/encoding/quantizer.h"
#include "common/model/flat_parameters.h"
#include "common/secagg/randomness/draw.h"
#include "common/secagg/server/server.h"
#include "common/secagg/shared/published_sum.h"
#include "common/wire/blob_transfer.h"
#include "common/wire/messages.h"
#include "coordinator/protocol/phase.h"
#include "coordinator/protocol/sum_store.h"
#include "coordinator/protocol/upload_store.h"

namespace sotto::coordinator {

/// Whether an attempt sums the counters of an evaluation beside its update. One at a server round
/// at which the sum of an earlier attempt may have been opened does not: members that endorsed that
/// sum join no other with counters (docs/secure-aggregation.md, 2.7).
enum class EvaluationCounters : std::uint8_t { kSummed, kLeftOut };

struct RoundPlan {
  wire::RoundHeader header;  // complete, hashes and thresholds included
  wire::Deadlines deadline_ms{};
  std::vector<secagg::CohortMember> roster;  // all participants
  std::vector<MemberId> cohort;              // ascending
  std::optional<secagg::Genesis> genesis{};  // what a circulant header's ring is drawn from
  codec::EncodingSpec encoding;
  EncodedParameters model;  // served as the blob model_hash; unchanged until the outcome
  wire::FetchLimits fetch;
  secagg::WhoLeft<MemberId> earlier_keys;  // pairs whose pre-shared keys differed before
  std::uint32_t uploads_at_once = 4;       // members whose upload is pulled at a time; others queue
  unsigned threads = 1;                    // that share the signatures of a message
  std::uint32_t unmask_sends = 3;          // M8, one each deadline_ms[5]; then the round is lost
  std::shared_ptr<UploadStore> uploads{};  // in memory unless said
  /// With model lineage: sums of earlier rounds are served, and the model is not.
  std::shared_ptr<SumStore> sums{};
};

/// The plan's cohort in the order of its indexes.
secagg::Cohort cohort_of(const RoundPlan& plan);

// What an attempt is made of beside its plan, in the order in which it came: replayed, it gives the
// same machine. Times are not part of it.

struct Heard {  // and counted
  wire::Envelope envelope;
};

struct Left {
  MemberId member{};
};

struct UploadWhole {  // its bytes are in the store, its hash is right
  MemberId member{};
};

struct Decided {  // a phase was entered; what the one before fixed is never fixed again
  Phase entered{};
  Bytes32 digest{};  // of what was fixed
};

struct EndedWithoutSum {};

using RoundFact = std::variant<Heard, Left, UploadWhole, Decided, EndedWithoutSum>;

struct RoundEvent {
  enum class Kind {
    kPhase,
    kAccepted,
    kIgnored,
    kRejected,
    kSilent,   // until the end of a phase
    kGone,     // left, lost its link, or broke off its upload: nobody waits for it any more
    kDropout,  // taken out for another reason
    kUploadProgress,
    kOpened,
    kFailed
  } kind;
  Phase phase{};
  MemberId member{};  // 0 when about the round
  std::string detail;
};

/// The sum is open: mask removal and decoding are long, run it on the pool and call summed().
struct SumRequest {
  secagg::SumJob job;
  codec::RingUpdate masked_sum;
};

struct RoundOutcome {
  wire::RoundStatus status{};
  std::string reason;                    // why not done
  std::optional<codec::DecodedSum> sum;  // when done
  /// With model lineage: to be kept in the SumStore before the round is closed. Its packed lanes
  /// are those of `sum`, which are not copied.
  std::optional<secagg::PublishedSum> published{};
  std::vector<MemberId> survivors;  // S
  bool spoiled = false;             // the sum over S was opened and failed its checks
  Bytes32 aggregate_hash{};
  std::uint64_t upload_bytes = 0;  // masked uploads of S
};

struct RoundOutput {
  std::vector<RoundFact> facts;  // to be kept, in this order, after those of earlier outputs
  /// All facts so far, and the bytes of whole uploads, must be durable before anything of this
  /// output leaves. Facts that are lost otherwise were never answered: members repeat them.
  bool decided = false;
  std::vector<wire::Envelope> send;
  std::optional<SumRequest> sum;
  std::vector<RoundEvent> events;
  std::vector<secagg::Conflict> conflicts;  // once, when complaints are settled
  std::vector<secagg::Evidence> evidence;   // at most one a member and kind of message in a round
  std::optional<RoundOutcome>
      outcome;  // once: the attempt is over; the driver makes the model, then calls close()
  std::optional<TimePoint> wake_at;
  std::optional<std::string>
      store_failed;  // of the UploadStore: the machine must not be used again
};

struct RoundProgress {
  Phase phase{};
  std::uint32_t cohort = 0;
  std::uint32_t done = 0;  // members that did this phase's part
  std::uint64_t upload_bytes = 0;
};

class RoundStateMachine {
 public:
  /// `signing` outlives the machine.
  RoundStateMachine(RoundPlan plan, const crypto::SigningKey& signing);
  ~RoundStateMachine();

  RoundOutput start(TimePoint now);
  /// Instead of start(): goes on where the facts of an earlier process end, in a phase that begins
  /// now. Nothing is announced but to member_connected(). An Error, and the machine must not be
  /// used again: the facts are not of this plan, or the store lost an upload that counts.
  Result<RoundOutput> resume(const std::vector<RoundFact>& facts, TimePoint now);
  RoundOutput handle(const wire::Envelope& envelope, TimePoint now);
  RoundOutput tick(TimePoint now);
  /// The member's link is down, or it is known not to be there: nobody waits for it in this round.
  RoundOutput member_lost(MemberId member, std::string why, TimePoint now);
  /// A member said Hello (first or again): send it this round's newest announcement, repeat its
  /// fetches.
  RoundOutput member_connected(MemberId member, TimePoint now);
  /// The pool removed the masks.
  RoundOutput summed(codec::RingUpdate sum, TimePoint now);
  /// After the outcome: M10 to the cohort, naming the new model (the old one's hash unless done).
  RoundOutput close(const Bytes32& new_model_hash, TimePoint now);

  [[nodiscard]] RoundProgress progress() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::coordinator

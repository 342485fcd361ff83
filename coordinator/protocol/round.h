// RoundStateMachine runs one attempt at one round at the coordinator, from the offer to the plain
// sum. It is deterministic and does no I/O except through the UploadStore and the SumStore of its
// plan: each call takes an input and returns a RoundOutput. Its phases are a variant of small
// structs: Advertise, Share, Check, Settle (when a dealer has to open shares), Upload, Endorse,
// Unmask and, when there can be no sum, the abort of the round (Burn). The driver (coordinator.cc,
// or the simulator) first makes an output durable and then sends it. Replaying the facts that were
// kept gives the same machine. One thread.
#pragma once

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

/// Whether an attempt sums the counters of an evaluation beside its update. An attempt at a server
/// round at which the sum of an earlier attempt may have been opened does not: members that
/// endorsed that sum join no other one with counters (docs/secure-aggregation.md, 2.7).
enum class EvaluationCounters : std::uint8_t { kSummed, kLeftOut };

struct RoundPlan {
  wire::RoundHeader header;  // complete, hashes and thresholds included
  wire::Deadlines deadline_ms{};
  std::vector<secagg::CohortMember> roster;  // all participants
  std::vector<MemberId> cohort;              // ascending
  std::optional<secagg::SharedRandomness>
      shared_randomness{};  // the ring of a circulant header is drawn from it
  encoding::EncodingSpec encoding;
  EncodedParameters model;  // served as the blob model_hash; unchanged until the outcome
  wire::FetchLimits fetch;
  secagg::WhoLeft<MemberId> earlier_keys;  // who left earlier because pre-shared keys differed
  /// The number of members whose uploads are pulled at the same time. The others wait in a queue.
  std::uint32_t uploads_at_once = 4;
  unsigned threads = 1;  // among which the signatures of a message are divided
  /// M8 is sent at most so many times, deadline_ms[5] apart. Then the round is lost.
  std::uint32_t unmask_sends = 3;
  std::shared_ptr<UploadStore> uploads{};  // kept in memory when null
  /// Set with model lineage: the sums of earlier rounds are served instead of the model.
  std::shared_ptr<SumStore> sums{};
};

/// Returns the plan's cohort in the order of its indexes.
secagg::Cohort cohort_of(const RoundPlan& plan);

// The facts of an attempt, in the order in which they arose. A plan and its facts, replayed, give
// the same machine. Times are not part of them.

struct ReceivedMessage {  // a message that was received and counted
  wire::Envelope envelope;
};

struct Left {
  MemberId member{};
};

struct UploadWhole {  // the bytes are in the store and have the announced hash
  MemberId member{};
};

struct Decided {  // a phase was entered; the results of the earlier phases are final
  Phase entered{};
  Bytes32 digest{};  // of the sets that are fixed
};

struct EndedWithoutSum {};

using RoundFact = std::variant<ReceivedMessage, Left, UploadWhole, Decided, EndedWithoutSum>;

struct RoundEvent {
  enum class Kind {
    kPhase,
    kAccepted,
    kIgnored,
    kRejected,
    kSilent,   // the member was silent until the end of a phase
    kGone,     // it left, or its connection or upload ended: it is not waited for
    kDropout,  // the member dropped out for another reason
    kUploadProgress,
    kOpened,
    kFailed
  } kind;
  Phase phase{};
  MemberId member{};  // 0 for an event of the round itself
  std::string detail;
};

/// The sum can be opened. Mask removal and decoding take long: the caller runs them on the thread
/// pool and then calls summed().
struct SumRequest {
  secagg::SumJob job;
  encoding::RingUpdate masked_sum;
};

struct RoundOutcome {
  wire::RoundStatus status{};
  std::string reason;                       // why there is no sum; empty when done
  std::optional<encoding::DecodedSum> sum;  // when done
  /// Set with model lineage: the caller keeps it in the SumStore before it closes the round. Its
  /// packed lanes are those of `sum`, which are not copied.
  std::optional<secagg::PublishedSum> published{};
  std::vector<MemberId> survivors;  // S
  bool lost_sum = false;            // the sum over S was opened and failed its checks
  Bytes32 aggregate_hash{};
  std::uint64_t upload_bytes = 0;  // of the masked uploads of S
};

struct RoundOutput {
  std::vector<RoundFact> facts;  // to be kept in this order, after those of earlier outputs
  /// All facts so far, and the bytes of complete uploads, must be durable before anything of this
  /// output is sent. When it is false, facts may be lost: nothing was sent in answer to them, and
  /// members repeat their messages.
  bool decided = false;
  std::vector<wire::Envelope> send;
  std::optional<SumRequest> sum;
  std::vector<RoundEvent> events;
  std::vector<secagg::Conflict> conflicts;  // set once, when complaints are settled
  std::vector<secagg::Evidence> evidence;   // at most one per member and kind of message in a round
  /// Set once, when the attempt is over. The driver then makes the new model and calls close().
  std::optional<RoundOutcome> outcome;
  std::optional<TimePoint> wake_at;
  /// An error of a store. The machine must not be used after it.
  std::optional<std::string> store_failed;
};

struct RoundProgress {
  Phase phase{};
  std::uint32_t cohort = 0;
  std::uint32_t done = 0;  // members that have done their part of this phase
  std::uint64_t upload_bytes = 0;
};

class RoundStateMachine {
 public:
  /// `signing` outlives the machine.
  RoundStateMachine(RoundPlan plan, const crypto::SigningKey& signing);
  ~RoundStateMachine();

  RoundOutput start(TimePoint now);
  /// Continues, instead of start(), where the facts of an earlier process end. The current phase
  /// begins anew at `now`. Announcements are sent only by member_connected(). An Error when the
  /// facts do not belong to this plan or the store lost an upload that counts; the machine must
  /// then not be used.
  Result<RoundOutput> resume(const std::vector<RoundFact>& facts, TimePoint now);
  RoundOutput handle(const wire::Envelope& envelope, TimePoint now);
  RoundOutput tick(TimePoint now);
  /// The member's connection has ended, or it is known to be absent: it is not waited for in this
  /// round.
  RoundOutput member_lost(MemberId member, std::string why, TimePoint now);
  /// The member has connected, for the first time or again: sends it the newest announcement of
  /// this round and repeats the requests for its upload.
  RoundOutput member_connected(MemberId member, TimePoint now);
  /// `sum` is the masked sum of SumRequest with the masks removed. Called once after each
  /// SumRequest.
  RoundOutput summed(encoding::RingUpdate sum, TimePoint now);
  /// Called after the outcome: sends M10 to the cohort with the hash of the new model, or of the
  /// old one when the round is not done.
  RoundOutput close(const Bytes32& new_model_hash, TimePoint now);

  [[nodiscard]] RoundProgress progress() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::coordinator

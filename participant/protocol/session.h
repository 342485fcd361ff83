// ParticipantSession is the protocol state of a participant for one coordinator and one run, one
// round at a time. It does no input or output and is deterministic: each call returns a
// SessionOutput. The driver (participant.cc, or the simulator) carries out an output in this order:
// it writes every guard record durably, then sends, then starts computations. If a guard record
// cannot be written, the driver drops the rest of the output and calls guard_failed(). Use from one
// thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/secure_random.h"
#include "common/crypto/sign.h"
#include "common/encoding/quantizer.h"
#include "common/model/flat_parameters.h"
#include "common/privacy/ledger/ledger.h"
#include "common/secagg/client/client.h"
#include "common/secagg/evidence/evidence.h"
#include "common/wire/messages.h"
#include "participant/protocol/guard.h"
#include "participant/protocol/model_lineage.h"

namespace sotto::participant {

/// The terms under which the site accepted the job (policy.h); fixed for the run.
struct Agreement {
  RunId run{};
  Bytes32 config_hash{};  // the job's hash
  Bytes32 roster_hash{};
  std::uint64_t num_server_rounds =
      0;                            // server round num_server_rounds + 1 is the closing evaluation
  std::uint64_t parameters = 0;     // number of floats in the update
  encoding::EncodingSpec encoding;  // without noise
  std::optional<encoding::NoiseTerms>
      noise{};  // of the job; with it the noise of a round depends on (n, C)
  std::uint32_t min_colluders = 1;
  std::uint32_t min_cohort = 3;  // from the policy: fewest members in a sum
  Duration max_round{86400000};  // secrets of a round are wiped after this time at the latest
  unsigned threads = 1;          // threads that verify the signatures of a message
  secagg::GraphRules graph;      // of the job
  /// Set if the job's cohorts are drawn from shared randomness: the number of members drawn (0:
  /// all).
  std::optional<std::uint32_t> drawn_cohort_size;
  std::optional<secagg::SharedRandomness>
      shared_randomness;                  // the run's shared randomness, if known
  std::optional<LineageTerms> lineage{};  // set if this site computes the models itself
};

// ---- what the driver must do, besides sending

/// Asks the driver to train (or only evaluate) on this model and then to call computed(). This
/// takes long and runs on the thread pool.
struct TrainRequest {
  RoundNumber round;
  bool evaluate_only = false;
  std::shared_ptr<const FlatParameters> model;
  std::optional<privacy::NoisyRounds> noise{};  // the noise in the round's sum
};

/// Asks the driver to encode and mask the input, charge the ledger for it, and then call masked().
/// `job` is moved to the thread pool. The input is the result of the newest computation. The driver
/// keeps it until the next TrainRequest or `input_spent`, because a later attempt uses it again if
/// this one is cancelled or aborted.
struct MaskRequest {
  RoundNumber round;
  InputId input{};
  secagg::MaskJob job;
  Bytes32 h{};
  encoding::EncodingSpec encoding;  // of this round
};

/// An event for logs, progress and reports. It never contains a secret or a metric of the site.
struct SessionEvent {
  enum class Kind {
    kRoundJoined,
    kModelReceived,
    kSharesOpened,  // this site's shares, opened to members that complained about them
    kUploaded,
    kEndorsed,
    kUnmasked,
    kVotedAbort,  // signed an abort vote (AbortVote) for the round
    kFreed,       // verified the abort certificate of the round of the newest upload
    kRoundClosed,
    kRoundLeft,
    kRejected,
    kIgnored
  } kind;
  RoundNumber round;
  std::string detail;
};

struct SessionOutput {
  std::vector<GuardRecord> persist;  // to be written first, durably
  std::vector<wire::Envelope> send;  // to be sent next, all to the coordinator
  std::optional<TrainRequest> train;
  std::optional<MaskRequest> mask;
  bool input_spent = false;  // no later attempt can use the newest computation
  std::vector<SessionEvent> events;
  std::vector<secagg::Evidence> evidence;  // against the coordinator or endorsers
  std::optional<TimePoint> wake_at;        // time of the next tick; replaces the one before
};

class ParticipantSession {
 public:
  /// `signing`, `preshared` and `random` outlive the session.
  ParticipantSession(Agreement agreement, MemberId self, std::vector<secagg::CohortMember> roster,
                     const crypto::VerifyKey& coordinator, const crypto::SigningKey& signing,
                     const secagg::PresharedKeys& preshared, crypto::SecureRandom& random,
                     const GuardState& guard);
  ~ParticipantSession();

  /// Sets the run's shared randomness, once. Before that no round with a drawn cohort is joined.
  void set_shared_randomness(secagg::SharedRandomness shared_randomness);

  SessionOutput handle(const wire::Envelope& envelope, TimePoint now);
  SessionOutput tick(TimePoint now);
  /// Call when the connection was restored: repeats the last message of the round and requests
  /// again what was in flight.
  SessionOutput reconnected(TimePoint now);
  /// Reports that training or evaluation has ended (the driver keeps the result until MaskRequest).
  /// An Error means that the driver did not begin; the round is then left, and the message of the
  /// Error stays at the site. The coordinator sees that the site leaves, so a computation that
  /// fails after it has read data must never be reported as an Error.
  SessionOutput computed(RoundNumber round, Status outcome, TimePoint now);
  /// Reports that the masked update is charged and may leave. Only a Released update can be passed.
  SessionOutput masked(RoundNumber round, Result<privacy::Released<secagg::MaskedUpdate>> released,
                       TimePoint now);
  SessionOutput guard_failed(TimePoint now);

  [[nodiscard]] std::optional<RoundNumber> current_round() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::participant

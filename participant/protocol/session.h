// ParticipantSession: one coordinator, one run, one round at a time. Sans-I/O and deterministic:
// verbs in, Output out. The driver (participant.cc, or the simulator) carries out an Output in this
// order: persist every guard record durably; only then send; then start compute. A guard record
// that cannot be written: drop the rest of the Output and call guard_failed(). One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
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

/// What the site agreed to when it accepted the job (policy.h); fixed for the run.
struct Agreement {
  RunId run{};
  Bytes32 config_hash{};  // the job's hash
  Bytes32 roster_hash{};
  std::uint64_t num_server_rounds =
      0;                         // server round num_server_rounds + 1 is the closing evaluation
  std::uint64_t parameters = 0;  // floats in the update
  codec::EncodingSpec encoding;  // without noise
  std::optional<codec::NoiseTerms>
      noise{};  // of the job; then what a round draws depends on (n, C)
  std::uint32_t min_colluders = 1;
  std::uint32_t min_cohort = 3;  // of the policy: fewest members in a sum
  Duration max_round{86400000};  // secrets of a round are wiped at the latest then
  unsigned threads = 1;          // that share the signatures of a message
  secagg::GraphRules graph;      // of the job
  /// Set when the job's rounds are drawn from a genesis: of how many members (0: of all).
  std::optional<std::uint32_t> drawn_cohort_size;
  std::optional<secagg::Genesis> genesis;  // the run's, when it is known already
  std::optional<LineageTerms> lineage{};   // set when this site makes the models by itself
};

// ---- what the driver must do, beside sending

/// Train (or only evaluate) on this model, then call computed(). Long: on the pool.
struct TrainRequest {
  RoundNumber round;
  bool evaluate_only = false;
  std::shared_ptr<const FlatParameters> model;
  std::optional<privacy::NoisyRounds> noise{};  // that the round's sum will hold
};

/// Encode, mask, charge the ledger for the input, then call masked(). `job` is moved to the pool.
/// The input is what the newest computation left: the driver keeps it until the next TrainRequest
/// or `input_spent`, because an attempt that is cancelled or burnt gives it back to a later one.
struct MaskRequest {
  RoundNumber round;
  InputId input{};
  secagg::MaskJob job;
  Bytes32 h{};
  codec::EncodingSpec encoding;  // of this round
};

/// For people: logs, progress, reports. Never holds a secret or a metric of the site.
struct SessionEvent {
  enum class Kind {
    kRoundJoined,
    kModelReceived,
    kSharesOpened,  // of this site, to members that complained about them
    kUploaded,
    kEndorsed,
    kUnmasked,
    kBurned,  // voted to burn the round
    kFreed,   // a burn certificate for the round of the newest upload
    kRoundClosed,
    kRoundLeft,
    kRejected,
    kIgnored
  } kind;
  RoundNumber round;
  std::string detail;
};

struct SessionOutput {
  std::vector<GuardRecord> persist;  // first, durably
  std::vector<wire::Envelope> send;  // then, all to the coordinator
  std::optional<TrainRequest> train;
  std::optional<MaskRequest> mask;
  bool input_spent = false;  // no later attempt can use the newest computation again
  std::vector<SessionEvent> events;
  std::vector<secagg::Evidence> evidence;  // contradictions of the coordinator, or of endorsers
  std::optional<TimePoint> wake_at;        // the next tick; replaces the one before
};

class ParticipantSession {
 public:
  /// `signing`, `preshared` and `random` outlive the session.
  ParticipantSession(Agreement agreement, MemberId self, std::vector<secagg::CohortMember> roster,
                     const crypto::VerifyKey& coordinator, const crypto::SigningKey& signing,
                     const secagg::PresharedKeys& preshared, crypto::SecureRandom& random,
                     const GuardState& guard);
  ~ParticipantSession();

  /// The run's genesis, once: before it no drawn round is joined.
  void set_genesis(secagg::Genesis genesis);

  SessionOutput handle(const wire::Envelope& envelope, TimePoint now);
  SessionOutput tick(TimePoint now);
  /// The link came up again: repeat the last message of the round, ask again for what was in
  /// flight.
  SessionOutput reconnected(TimePoint now);
  /// The driver's training or evaluation is done (the result stays with the driver until
  /// MaskRequest). An Error: the driver does not begin it, and the round is left; its message stays
  /// here. That the site leaves is seen, so a computation that fails after it looked at data is
  /// never reported as an Error.
  SessionOutput computed(RoundNumber round, Status outcome, TimePoint now);
  /// The masked update is charged and may leave: only a Released one can.
  SessionOutput masked(RoundNumber round, Result<privacy::Released<secagg::MaskedUpdate>> released,
                       TimePoint now);
  SessionOutput guard_failed(TimePoint now);

  [[nodiscard]] std::optional<RoundNumber> current_round() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::participant

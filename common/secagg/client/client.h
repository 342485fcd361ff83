// SECAGG1 at a participant, one object a round: makes its messages, checks everybody else's, never
// decides about time, files or sockets. The caller (participant/protocol/session) keeps the order
// of phases, writes the guard before a message leaves and keeps exact bytes for repetition.
// Ephemeral secrets live in the arena and are wiped with the object. An Error from deal,
// check_shares, open_shares or accept_u2 means: leave the round (nothing was uploaded). An Error
// from endorse or unmask refuses that one message and changes nothing: what was released so far
// stays all that is released. A phase's call is repeated only with the message that was accepted
// (endorse, unmask: the same answer comes back); the caller answers other repetitions from its
// cache. One thread, except MaskJob which is moved to a worker.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/secure_random.h"
#include "common/crypto/sign.h"
#include "common/encoding/lanes.h"
#include "common/secagg/randomness/draw.h"
#include "common/secagg/shared/graph.h"
#include "common/secagg/shared/masking.h"
#include "common/secagg/shared/preshared.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// What the site insists on, whatever the header says.
struct LocalRules {
  Bytes32 roster_hash{};
  RunId run{};
  Bytes32 config_hash{};               // of the job the site agreed to
  std::uint32_t min_colluders = 1;     // C of the header must be at least this
  std::uint32_t min_cohort = 3;        // of the policy: fewest members in a sum, so in a cohort too
  std::uint32_t min_survivors = 0;     // of the round's encoding, beyond max(Q, C + 2)
  std::vector<codec::LaneSpec> lanes;  // what this job and round must have for the header's n
  GraphRules graph;                    // of the job
  std::optional<CohortDraw> draw;      // when the run has a genesis; else any cohort of the roster
  RoundNumber last_round;  // greatest round of this run in the guard; the offer's must be greater
};

/// Verifies an offer against the coordinator's key, the roster and the rules. `roster` are all
/// participants, ascending. Returns the cohort in the order of its indexes. An Error names the
/// first rule that is broken.
Result<Cohort> check_offer(const wire::Offer& offer, const crypto::VerifyKey& coordinator,
                           const std::vector<CohortMember>& roster, MemberId self,
                           const LocalRules& rules);

/// Everything that masking needs, moved to a worker thread.
struct MaskJob {
  Bytes32 h{};
  MemberId id{};
  std::vector<codec::LaneSpec> lanes;
  std::vector<MaskSeed> seeds;

  /// Consumes the plain lanes; they are wiped.
  MaskedUpdate run(codec::RingUpdate update, unsigned threads) &&;
};

class Client {
 public:
  /// `signing` outlives the client; of `preshared` only what the keys become in this round is kept.
  /// Draws this round's ephemeral keys and seeds from `random`.
  Client(const wire::RoundHeader& header, Cohort cohort, MemberId self,
         const crypto::SigningKey& signing, const PresharedKeys& preshared,
         const crypto::VerifyKey& coordinator, crypto::SecureRandom& random);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Signatures are checked on so many threads (1 unless said); what comes out does not depend on
  /// it.
  void use_threads(unsigned threads);

  [[nodiscard]] const Bytes32& h() const;
  [[nodiscard]] const Cohort& cohort() const;

  wire::Advertise advertise();                                                       // M1
  Result<wire::Shares> deal(const wire::KeyList& m2, crypto::SecureRandom& random);  // M2 -> M3
  Result<wire::ShareCheck> check_shares(const wire::ShareForward& m4);               // M4 -> M4A
  /// M4B -> M4C, only when members complained: at most most_liars() shares (conflicts.h), once a
  /// round. They are known to the members that complained, when these lie, or are worth nothing,
  /// when this one does; so nothing of it is in the guard.
  Result<wire::Opening> open_shares(const wire::Complaints& m4b);
  Status accept_u2(const wire::Fix& m4u);  // M4U
  /// After accept_u2: the seeds of this member's vector.
  MaskJob mask_job();
  /// M5's head over what mask_job() made.
  wire::UploadHeader upload_header(const Bytes32& hash_y);

  /// M6 -> M7 and the dS that the guard must hold first.
  struct Endorsement {
    Bytes32 d_u2{};
    Bytes32 d_s{};
    wire::Endorse message;
  };

  Result<Endorsement> endorse(const wire::Survivors& m6);
  /// M8 -> M9: R1 to R4, then one kind of share a dealer.
  Result<wire::UnmaskResponse> unmask(const wire::UnmaskRequest& m8);
  /// M10's signature.
  [[nodiscard]] bool accepts_result(const wire::RoundResult& m10) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::secagg

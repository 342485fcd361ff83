// SECAGG1 at a participant. A Client is the state of one round: it makes the member's messages and
// checks all others. It uses no clock, files or sockets. The caller (participant/protocol/session)
// keeps the order of phases, writes the guard before a message is sent, and keeps the exact bytes
// for repetition. Ephemeral secrets are in the arena and are wiped with the object.
//
// An Error from deal, check_shares, open_shares or accept_u2 means that the member has to leave the
// round (nothing was uploaded). An Error from endorse or unmask refuses that one message and
// changes nothing: no more is released than before. A phase's call is repeated only with the
// message that was accepted (endorse and unmask then return the same answer); the caller answers
// other repetitions from its cache. One thread, except MaskJob, which is moved to a worker.
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

/// The requirements of the site, which hold whatever the header contains.
struct LocalRules {
  Bytes32 roster_hash{};
  RunId run{};
  Bytes32 config_hash{};                  // of the job the site agreed to
  std::uint32_t min_colluders = 1;        // C of the header must be at least this
  std::uint32_t min_cohort = 3;           // of the policy: fewest members in a sum and a cohort
  std::uint32_t min_survivors = 0;        // of the round's encoding, beyond max(Q, C + 2)
  std::vector<encoding::LaneSpec> lanes;  // the lanes of this job and round for the header's n
  GraphRules graph;                       // of the job
  std::optional<CohortDraw> draw;         // with shared randomness; else any cohort of the roster
  RoundNumber last_round;  // the guard's latest round of this run; the offer's is later
};

/// Verifies an offer against the coordinator's key, the roster and the rules. `roster` lists all
/// participants, ascending. Returns the cohort in the order of its indexes. An Error names the
/// first rule that the offer breaks.
Result<Cohort> check_offer(const wire::Offer& offer, const crypto::VerifyKey& coordinator,
                           const std::vector<CohortMember>& roster, MemberId self,
                           const LocalRules& rules);

/// A MaskJob is the input of masking, which is moved to a worker thread.
struct MaskJob {
  Bytes32 h{};
  MemberId id{};
  std::vector<encoding::LaneSpec> lanes;
  std::vector<MaskSeed> seeds;

  /// Masks the update. Consumes the plain lanes; they are wiped.
  MaskedUpdate run(encoding::RingUpdate update, unsigned threads) &&;
};

class Client {
 public:
  /// `signing` outlives the client. Of `preshared` the client keeps only the values that are
  /// derived for this round. Draws this round's ephemeral keys and seeds from `random`.
  Client(const wire::RoundHeader& header, Cohort cohort, MemberId self,
         const crypto::SigningKey& signing, const PresharedKeys& preshared,
         const crypto::VerifyKey& coordinator, crypto::SecureRandom& random);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Sets the number of threads on which signatures are checked; it is 1 at first. The results do
  /// not depend on it.
  void use_threads(unsigned threads);

  [[nodiscard]] const Bytes32& h() const;
  [[nodiscard]] const Cohort& cohort() const;

  wire::Advertise advertise();                                                       // M1
  Result<wire::Shares> deal(const wire::KeyList& m2, crypto::SecureRandom& random);  // M2 -> M3
  Result<wire::ShareCheck> check_shares(const wire::ShareForward& m4);               // M4 -> M4A
  /// M4B -> M4C, only when members complained. Opens at most max_false_complaints() shares
  /// (conflicts.h), once in a round. The members that complained know these shares already when
  /// their complaints are false; when the complaints are true, this member's shares protect
  /// nothing. So the guard records nothing of it.
  Result<wire::Opening> open_shares(const wire::Complaints& m4b);
  Status accept_u2(const wire::Fix& m4u);  // M4U
  /// Returns the MaskJob of this member's vector. Call it after accept_u2().
  MaskJob mask_job();
  /// Returns the header of M5 over the result of mask_job().
  wire::UploadHeader upload_header(const Bytes32& hash_y);

  /// M7, and the dS that the guard must contain before it is sent.
  struct Endorsement {
    Bytes32 d_u2{};
    Bytes32 d_s{};
    wire::Endorse message;
  };

  Result<Endorsement> endorse(const wire::Survivors& m6);
  /// M8 -> M9: checks R1 to R4, then reveals one kind of share for each dealer.
  Result<wire::UnmaskResponse> unmask(const wire::UnmaskRequest& m8);
  /// Returns whether M10 has the coordinator's signature.
  [[nodiscard]] bool accepts_result(const wire::RoundResult& m10) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::secagg

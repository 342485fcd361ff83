// SECAGG1 at the coordinator. A Server is the state of one round: it checks what members send,
// fixes U1, V, U2 and S once each, builds the announcements and the certificate, and opens the sum
// over S. It uses no clock, files or sockets; coordinator/protocol/round decides when each step
// happens. accept() returns whether a message is counted, ignored (late or duplicate), or rejected
// with the reason. One thread, except SumJob, which is moved to a worker.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/crypto/sign.h"
#include "common/encoding/lanes.h"
#include "common/secagg/evidence/conflicts.h"
#include "common/secagg/evidence/evidence.h"
#include "common/secagg/shared/cohort.h"
#include "common/secagg/shared/masking.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

struct MessageResult {
  enum class Kind { kAccepted, kIgnored, kRejected } kind = Kind::kAccepted;
  std::string reason;

  static MessageResult accepted() { return {}; }

  static MessageResult ignored(std::string why) { return {Kind::kIgnored, std::move(why)}; }

  static MessageResult rejected(std::string why) { return {Kind::kRejected, std::move(why)}; }
};

/// A SumJob removes the masks: it holds the seeds to subtract from the sum over S, which were
/// opened from the members' shares.
struct SumJob {
  Bytes32 h{};
  std::vector<MaskSeed> seeds;  // with their signs inverted
  /// Returns the plain sum, reduced to b bits.
  encoding::RingUpdate run(encoding::RingUpdate masked_sum, unsigned threads) &&;
};

/// Returns the hash that M10 contains: H("SOTTO aggregate", h || packed lanes of the plain sum).
Bytes32 hash_of_sum(const Bytes32& h, const encoding::RingUpdate& sum);

class Server {
 public:
  /// `signing` outlives the server.
  Server(const wire::RoundHeader& header, Cohort cohort, const crypto::SigningKey& signing);
  ~Server();
  Server(Server&&) noexcept;
  Server& operator=(Server&&) noexcept;

  /// Sets the number of threads on which the signatures of a message are checked; it is 1 at first.
  /// The results do not depend on it.
  void use_threads(unsigned threads);

  [[nodiscard]] const Bytes32& h() const;
  [[nodiscard]] const Cohort& cohort() const;

  // Advertise. U1 = the senders of accepted M1.
  MessageResult accept(const wire::Advertise& m1);
  [[nodiscard]] const IndexSet& advertised() const;
  /// Fixes U1. Error: |U1| < max(Q, s_min), and the round has to be cancelled. key_list(i) is then
  /// the M2 for a member.
  Status fix_u1();
  [[nodiscard]] wire::KeyList key_list(MemberId to) const;

  // Share. V = the senders of complete, well-signed M3.
  MessageResult accept(const wire::Shares& m3);
  [[nodiscard]] const IndexSet& dealt() const;
  Status fix_v();
  [[nodiscard]] wire::ShareForward share_forward(MemberId to) const;

  // Check.
  MessageResult accept(const wire::ShareCheck& m4a);
  [[nodiscard]] const IndexSet& checked() const;
  /// Fixes which dealers are asked to open shares; later complaints do not count. Error: too few
  /// members checked their shares.
  Status fix_complaints();

  // Settle. This step takes place only when a dealer is asked to open shares.
  [[nodiscard]] const IndexSet& asked() const;
  [[nodiscard]] wire::Complaints complaints_about(MemberId dealer) const;
  /// Counts an opening also when its shares do not fit, and returns a rejection with the reason
  /// then: the dealer is an offender.
  MessageResult accept(const wire::Opening& m4c);
  /// The dealers that were asked and have opened shares, correct or not.
  [[nodiscard]] const IndexSet& answered() const;

  /// Tells the server, before U2 is fixed, which member of each pair left in earlier rounds of the
  /// run.
  void remember_keys(const WhoLeft<MemberId>& earlier);
  /// Settles complaints, after fix_complaints() if it was not called. Then members with fewer than
  /// t holders leave, until there is none.
  Status fix_u2();
  /// Returns the conflicts of this round and their outcome in fix_u2().
  [[nodiscard]] const std::vector<Conflict>& conflicts() const;
  /// Returns, by index, the members that checked their shares and are not in U2, and why. Complete
  /// once fix_u2() has returned, with or without an Error.
  [[nodiscard]] const std::map<std::uint32_t, std::string>& left_out() const;
  /// Returns M4U for `to`, a member of U2, with the shares that were opened to it.
  [[nodiscard]] wire::Fix fix_message(MemberId to) const;
  [[nodiscard]] const IndexSet& u1() const;
  [[nodiscard]] const IndexSet& v() const;
  [[nodiscard]] const IndexSet& u2() const;

  // Upload. The caller fetches the bytes that an accepted header names, then calls
  // upload_complete().
  MessageResult accept(const wire::UploadHeader& m5);
  /// Checks the length and hash_y. An Error means that the upload does not count. The caller adds
  /// the lanes to the sum, which checks the padding.
  Status check_upload(MemberId id, BytesView packed) const;
  /// The same for an upload that is never in memory whole. It has the length of its lanes;
  /// upload_hasher() computes `hash_y`.
  Status check_upload(MemberId id, const Bytes32& hash_y) const;
  void upload_complete(MemberId id);
  [[nodiscard]] const IndexSet& uploaded() const;

  // Endorse. S = the members whose uploads are complete. Errors: |S| < s_min or < Q, or S violates
  // the neighbour rule or the window rule.
  Status fix_s();
  [[nodiscard]] const IndexSet& s() const;
  [[nodiscard]] wire::Survivors survivors() const;
  MessageResult accept(MemberId from, const wire::Endorse& m7);
  [[nodiscard]] const IndexSet& endorsed() const;
  [[nodiscard]] bool has_quorum() const;

  // Unmask. M8 for a member that endorsed.
  [[nodiscard]] wire::UnmaskRequest unmask_request(MemberId to) const;
  /// Counts the shares that fit their commitments. Where one does not, it is left out and the
  /// verdict is a rejection with the reason.
  MessageResult accept(const wire::UnmaskResponse& m9);
  [[nodiscard]] const IndexSet& responded() const;
  /// Returns whether every secret of U2 that the sum needs has t good shares.
  [[nodiscard]] bool can_open() const;
  /// Reconstructs b_i for S and r_i for U2 \ S and checks them against cm_b and pkm. An Error names
  /// the dealer whose shares do not fit.
  Result<SumJob> open() const;

  [[nodiscard]] wire::RoundResult result(wire::RoundStatus status, const Bytes32& aggregate_hash,
                                         const Bytes32& model_hash) const;

  /// Returns what a rejected message proves against its sender, together with what it sent before.
  [[nodiscard]] std::vector<Evidence> evidence_against(MemberId member,
                                                       const wire::Message& rejected) const;
  /// Returns what an endorsement of the announced S proves against a member that voted to abort the
  /// round (AbortVote). Returns nothing before S is fixed, or where a signature does not fit.
  [[nodiscard]] std::vector<Evidence> evidence_against_voter(const wire::AbortVote& vote,
                                                             const wire::Endorse& m7) const;
  /// Returns, when open() fails, evidence against dealers whose good shares do not give what they
  /// committed to, or whose escrow does not open.
  [[nodiscard]] std::vector<Evidence> evidence_against_dealers() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::secagg

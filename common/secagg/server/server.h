// SECAGG1 at the coordinator, one object a round: checks what members send, fixes U1, V, U2, S once
// each, builds the announcements and the certificate, and opens the sum over S. No time, files or
// sockets: coordinator/protocol/round decides when. accept_* return what to do with a message:
// counted, ignored (late, duplicate), or rejected with the reason. One thread, except SumJob which
// is moved to a worker.
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

struct Verdict {
  enum class Kind { kAccepted, kIgnored, kRejected } kind = Kind::kAccepted;
  std::string reason;

  static Verdict accepted() { return {}; }

  static Verdict ignored(std::string why) { return {Kind::kIgnored, std::move(why)}; }

  static Verdict rejected(std::string why) { return {Kind::kRejected, std::move(why)}; }
};

/// Mask removal: seeds to take off the sum over S, opened from the members' shares.
struct SumJob {
  Bytes32 h{};
  std::vector<MaskSeed> seeds;  // signs already inverted
  /// The plain sum, reduced to b bits.
  codec::RingUpdate run(codec::RingUpdate masked_sum, unsigned threads) &&;
};

/// What M10 names: H("SOTTO aggregate", h || packed lanes of the plain sum).
Bytes32 hash_of_sum(const Bytes32& h, const codec::RingUpdate& sum);

class Server {
 public:
  /// `signing` outlives the server.
  Server(const wire::RoundHeader& header, Cohort cohort, const crypto::SigningKey& signing);
  ~Server();
  Server(Server&&) noexcept;
  Server& operator=(Server&&) noexcept;

  /// The signatures of a message are checked on so many threads (1 unless said); what comes out
  /// does not depend on it.
  void use_threads(unsigned threads);

  [[nodiscard]] const Bytes32& h() const;
  [[nodiscard]] const Cohort& cohort() const;
  [[nodiscard]] const wire::RoundHeader& header() const;

  // Advertise. U1 = accepted M1.
  Verdict accept(const wire::Advertise& m1);
  [[nodiscard]] const IndexSet& advertised() const;
  /// An Error when |U1| < max(Q, s_min): cancel. Else fixes U1; key_list(i) is M2 for a member.
  Status fix_u1();
  [[nodiscard]] wire::KeyList key_list(MemberId to) const;

  // Share. V = complete, well-signed M3.
  Verdict accept(const wire::Shares& m3);
  [[nodiscard]] const IndexSet& dealt() const;
  Status fix_v();
  [[nodiscard]] wire::ShareForward share_forward(MemberId to) const;

  // Check.
  Verdict accept(const wire::ShareCheck& m4a);
  [[nodiscard]] const IndexSet& checked() const;
  /// No more complaints count: fixes who is asked. An Error when too few members checked.
  Status fix_complaints();

  // Settle: only when a dealer is asked to open shares.
  [[nodiscard]] const IndexSet& asked() const;
  [[nodiscard]] wire::Complaints complaints_about(MemberId dealer) const;
  /// Also of shares that do not fit, with the reason as a rejection: the dealer is convicted.
  Verdict accept(const wire::Opening& m4c);
  /// Of those that were asked, whatever they opened.
  [[nodiscard]] const IndexSet& answered() const;

  /// Who left whom in earlier rounds of the run, before U2 is fixed.
  void remember_keys(const WhoLeft<MemberId>& earlier);
  /// Settles complaints (fixes them first, when nobody did); then members with fewer than t holders
  /// leave until there is none.
  Status fix_u2();
  /// Of this round, with what became of them in fix_u2().
  [[nodiscard]] const std::vector<Conflict>& conflicts() const;
  /// Members that checked and are not in U2, by index, and why. Known once U2 is fixed, or cannot
  /// be.
  [[nodiscard]] const std::map<std::uint32_t, std::string>& left_out() const;
  /// With the shares that were opened to `to`, a member of U2.
  [[nodiscard]] wire::Fix fix_message(MemberId to) const;
  [[nodiscard]] const IndexSet& u1() const;
  [[nodiscard]] const IndexSet& v() const;
  [[nodiscard]] const IndexSet& u2() const;

  // Upload. The caller fetches the bytes named by an accepted header, then reports them whole.
  Verdict accept(const wire::UploadHeader& m5);
  /// Checks length and hash_y; an Error: the upload does not count. The caller adds the lanes to
  /// the sum, which checks the padding.
  Status check_upload(MemberId id, BytesView packed) const;
  /// Of an upload that is never in one place, with the length of its lanes: upload_hasher().
  Status check_upload(MemberId id, const Bytes32& hash_y) const;
  void upload_complete(MemberId id);
  [[nodiscard]] const IndexSet& uploaded() const;

  // Endorse. S = complete uploads; an Error when |S| < s_min (or < Q), or when S breaks the
  // neighbour rule or the window rule.
  Status fix_s();
  [[nodiscard]] const IndexSet& s() const;
  [[nodiscard]] const Bytes32& d_s() const;
  [[nodiscard]] wire::Survivors survivors() const;
  Verdict accept(MemberId from, const wire::Endorse& m7);
  [[nodiscard]] const IndexSet& endorsed() const;
  [[nodiscard]] bool has_quorum() const;

  // Unmask. M8 for a member that endorsed.
  [[nodiscard]] wire::UnmaskRequest unmask_request(MemberId to) const;
  /// Shares whose commitment fails are left out, with the reason as a rejection; good ones count.
  Verdict accept(const wire::UnmaskResponse& m9);
  [[nodiscard]] const IndexSet& responded() const;
  /// True when every secret of U2 that the sum needs has t good shares.
  [[nodiscard]] bool can_open() const;
  /// Reconstructs b_i for S and r_i for U2 \ S, checks cm_b and pkm. An Error names the dealer
  /// whose shares do not fit.
  Result<SumJob> open() const;

  [[nodiscard]] wire::RoundResult result(wire::RoundStatus status, const Bytes32& aggregate_hash,
                                         const Bytes32& model_hash) const;

  /// What a message that was rejected proves against its sender, together with what it sent before.
  [[nodiscard]] std::vector<Evidence> evidence_against(MemberId member,
                                                       const wire::Message& rejected) const;
  /// What an endorsement of the announced S proves against a member that voted to burn the round;
  /// nothing before S is fixed, or where a signature does not fit.
  [[nodiscard]] std::vector<Evidence> evidence_against_voter(const wire::BurnVote& vote,
                                                             const wire::Endorse& m7) const;
  /// When open() fails: dealers whose good shares do not give what they committed to, or whose
  /// escrow they do not open.
  [[nodiscard]] std::vector<Evidence> evidence_against_dealers() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sotto::secagg

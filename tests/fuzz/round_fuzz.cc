// The coordinator's round under members that are the input: each may answer honestly, say something
// bent and properly signed, send raw frames, leave, come back or keep silent, at any time. What is
// announced must be said in one way, a certificate must be whole, and a sum that counts must be the
// exact sum of what its members put in.
#include <map>
#include <set>

#include "coordinator/protocol/round.h"
#include "tests/coordinator/protocol/scripted_members.h"
#include "tests/fuzz/fuzz_input.h"

namespace sotto::fuzz {
namespace {

using coordinator::RoundOutput;
using coordinator::RoundStateMachine;
using secagg::IndexSet;
using testing::ScriptedMembers;

constexpr std::uint32_t kMembers = 4;
constexpr std::size_t kSmallest = 3;  // max(Q, s_min) of n = 4, C = 1
constexpr int kMaxSteps = 200;
constexpr int kMaxMessages = 400;

const ScriptedMembers& members() {
  static const ScriptedMembers one(kMembers, 1, 6);
  return one;
}

/// Honest masked uploads, made once.
const Bytes& masked_input(std::uint32_t i, const IndexSet& u2) {
  static std::map<std::pair<std::uint32_t, IndexSet>, Bytes> made;
  const auto [at, fresh] = made.try_emplace({i, u2});
  if (fresh) at->second = members().masked_input(i, u2);
  return at->second;
}

coordinator::RoundPlan plan() {
  coordinator::RoundPlan out;
  out.header = members().header;
  out.deadline_ms = {1000, 1000, 1000, 10000, 1000, 1000};
  out.roster = members().roster;
  for (const auto& member : members().roster)
    out.cohort.push_back(member.id);
  out.encoding = members().encoding;
  out.model = {.head = Bytes(100, 9)};
  out.fetch = {.chunk_bytes = 64, .in_flight = 2, .retry_after = Duration(500)};
  out.uploads_at_once = 2;
  return out;
}

IndexSet read_set(const wire::Bitmap& bits) {
  const auto set = wire::from_bitmap(kMembers, bits);
  require(set.ok(), "an announced set is well-formed");
  return *set;
}

/// What the coordinator has announced: each set once.
struct Announced {
  std::optional<wire::Offer> m0;
  std::optional<IndexSet> u1, v, u2, s;
  std::optional<Bytes32> d_s;
  std::optional<wire::RoundResult> m10;
  bool unmasking = false;
  std::optional<wire::AbortCertificate> aborted;

  template <class T>
  static void once(std::optional<T>& held, const T& value) {
    if (!held) held = value;
    require(*held == value, "what is announced is said in one way");
  }

  void nested(std::optional<IndexSet>& set, const std::optional<IndexSet>& outer,
              const wire::Bitmap& bits) {
    once(set, read_set(bits));
    require(set->size() >= kSmallest, "every set is large enough");
    require(!outer || secagg::is_subset(*set, *outer), "every set lies in the one before");
  }

  void see(const wire::Message& message) {
    if (const auto* m = std::get_if<wire::Offer>(&message)) once(m0, *m);
    if (const auto* m = std::get_if<wire::KeyList>(&message)) nested(u1, std::nullopt, m->u1);
    if (const auto* m = std::get_if<wire::ShareForward>(&message)) nested(v, u1, m->v);
    if (const auto* m = std::get_if<wire::Complaints>(&message)) complaints(*m);
    if (const auto* m = std::get_if<wire::Fix>(&message)) nested(u2, v, m->u2);
    if (const auto* m = std::get_if<wire::Survivors>(&message)) {
      nested(s, u2, m->s);
      d_s = members().d_s(*u2, *s);
    }
    if (const auto* m = std::get_if<wire::UnmaskRequest>(&message)) certificate(*m);
    if (const auto* m = std::get_if<wire::AbortCertificate>(&message)) abort_certificate(*m);
    if (const auto* m = std::get_if<wire::RoundResult>(&message)) once(m10, *m);
    require(!unmasking || !aborted, "a round is opened or burnt, never both");
  }

  void complaints(const wire::Complaints& m4b) const {
    require(v && !u2, "shares are opened between V and U2");
    require(!m4b.checks.empty() && m4b.checks.size() <= members().header.C,
            "so many complaints can be lies");
    for (const wire::ShareCheck& check : m4b.checks) {
      const auto index = members().cohort().index_of(check.id);
      require(index && secagg::verify_share_check(members().roster[*index].verify_key, members().h,
                                                  check),
              "a complaint is signed by who complains");
    }
  }

  void abort_certificate(const wire::AbortCertificate& m8) {
    once(aborted, m8);
    std::set<MemberId> voters;
    for (const wire::AbortVote& vote : m8.votes) {
      const auto index = members().cohort().index_of(vote.id);
      require(index &&
                  secagg::verify_abort_vote(members().roster[*index].verify_key, members().h, vote),
              "a vote in a certificate verifies");
      voters.insert(vote.id);
    }
    require(voters.size() >= members().header.Q, "a burn certificate has Q distinct voters");
  }

  void certificate(const wire::UnmaskRequest& m8) {
    unmasking = true;
    require(s && m8.d_s == *d_s && m8.d_u2 == members().d_u2(*u2), "M8 is about the announced S");
    std::set<MemberId> signers;
    for (const wire::Endorse& m7 : m8.certificate) {
      const auto index = members().cohort().index_of(m7.id);
      require(index && secagg::contains(*s, *index), "members of S endorse");
      require(secagg::verify_endorse(members().roster[*index].verify_key, members().h, m8.d_u2,
                                     m8.d_s, m7),
              "an endorsement in a certificate verifies");
      signers.insert(m7.id);
    }
    require(signers.size() >= members().header.Q, "a certificate has Q distinct signers");
    require(m8.headers.size() == s->size(), "a certificate has all upload heads of S");
  }
};

class RoundFuzz {
 public:
  explicit RoundFuzz(Input input) : in_(input), machine_(plan(), members().coordinator) {}

  void run() {
    take(machine_.start(now_));
    for (int step = 0; step < kMaxSteps && messages_ < kMaxMessages && !in_.empty(); ++step)
      (this->*kOperations.at(in_.byte() % kOperations.size()))();
  }

 private:
  using Operation = void (RoundFuzz::*)();
  static const std::array<Operation, 10> kOperations;

  // ---- what comes out

  void take(RoundOutput out) {
    for (const wire::Envelope& envelope : out.send) {
      const auto decoded =
          wire::decode(wire::encode(kCoordinatorId, envelope.round, envelope.message));
      require(decoded.ok() && decoded->message == envelope.message, "what it says can be decoded");
      const auto to = members().cohort().index_of(envelope.peer);
      require(to.has_value(), "it speaks to the cohort");
      announced_.see(envelope.message);
      auto& box = inbox_[*to];
      if (box.size() < 16) box.push_back(envelope.message);
    }
    if (out.sum) {
      require(!sum_ && announced_.s.has_value(), "one sum, after S");
      sum_ = std::move(out.sum->job).run(std::move(out.sum->masked_sum), 1);
      // A member that deals shares of other seeds than it committed to is found before this.
      if (!spoilt_)
        require(testing::same_words(*sum_, members().plain_sum(*announced_.s)),
                "the sum over S is exact");
    }
    if (out.outcome) see_outcome(*out.outcome);
  }

  void see_outcome(const coordinator::RoundOutcome& outcome) {
    require(!ended_, "one outcome");
    ended_ = true;
    if (outcome.status == wire::RoundStatus::kDone) {
      require(outcome.sum && outcome.sum->count == announced_.s->size(), "the count is |S|");
      require(outcome.survivors.size() == announced_.s->size(), "the survivors are S");
    }
    require((outcome.status == wire::RoundStatus::kAborted) == announced_.aborted.has_value(),
            "a round is burnt by a certificate");
    if (outcome.status == wire::RoundStatus::kCancelled)
      require(!announced_.u2, "a round is cancelled before anybody was asked to upload");
  }

  void say(std::uint32_t i, const wire::Message& message) {
    ++messages_;
    take(machine_.handle({members().roster[i].id, members().header.round, message}, now_));
  }

  // ---- members

  /// Every member of the set answers honestly what it was sent since its last answer.
  void answer_all() {
    for (std::uint32_t i : in_.set(kMembers))
      for (const wire::Message& message : std::exchange(inbox_[i], {}))
        if (auto reply = honest(i, message)) say(i, *reply);
  }

  /// The next honest answer of one member, bent.
  void answer_bent() {
    const std::uint32_t i = in_.byte() % kMembers;
    const std::uint8_t how = in_.byte();
    if (inbox_[i].empty()) return;
    const wire::Message asked = inbox_[i].front();
    inbox_[i].erase(inbox_[i].begin());
    auto reply = honest(i, asked);
    if (!reply) return;
    std::visit([&](auto& message) { bend(i, message, how); }, *reply);
    say(i, *reply);
  }

  std::optional<wire::Message> honest(std::uint32_t i, const wire::Message& message) {
    if (std::holds_alternative<wire::Offer>(message)) return members().members[i].m1;
    if (const auto* m2 = std::get_if<wire::KeyList>(&message))
      return members().shares(i, read_set(m2->u1));
    if (const auto* m4 = std::get_if<wire::ShareForward>(&message))
      return members().check(i, read_set(m4->v));
    if (const auto* m4b = std::get_if<wire::Complaints>(&message))
      return members().opening(i, *m4b);
    if (const auto* m4u = std::get_if<wire::Fix>(&message)) {
      packed_[i] = masked_input(i, read_set(m4u->u2));
      return members().upload_header(i, *announced_.u2, packed_[i]);
    }
    if (const auto* request = std::get_if<wire::BlobRequest>(&message)) {
      auto data = wire::answer(*request, packed_[i]);
      return data.ok() ? std::move(data).value() : wire::absent(*request);
    }
    if (std::holds_alternative<wire::Survivors>(message))
      return members().endorse(i, *announced_.u2, *announced_.s);
    if (std::holds_alternative<wire::AbortRequest>(message)) return members().abort_vote(i);
    if (std::holds_alternative<wire::UnmaskRequest>(message))
      return members().unmask(i, *announced_.u2, *announced_.s);
    return std::nullopt;
  }

  // ---- bent and signed again by the member itself

  template <class M>
  void bend(std::uint32_t, M&, std::uint8_t) {}

  void bend(std::uint32_t i, wire::Advertise& m1, std::uint8_t how) {
    if (how % 4 == 0) m1.pk_mask = members().members[(i + 1) % kMembers].m1.pk_mask;
    if (how % 4 == 1) m1.pk_enc = m1.pk_mask;
    if (how % 4 == 2) m1.pk_enc = {};
    if (how % 4 == 3) m1.cm_b[0] ^= 1, spoilt_ = true;
    secagg::sign_advertise(members().members[i].signing, members().h, m1);
  }

  void bend(std::uint32_t i, wire::Shares& m3, std::uint8_t how) {
    wire::ShareEntry& entry = m3.entries[how % m3.entries.size()];
    if (how < 64)
      entry.cb[0] ^= 1, spoilt_ = true;
    else if (how < 128)
      entry.to = members().roster[in_.byte() % kMembers].id;
    else if (how < 192)
      m3.entries.pop_back();
    else
      entry.ciphertext[0] ^= 1;
    secagg::sign_share_entry(members().members[i].signing, members().h, m3.id, entry);
  }

  void bend(std::uint32_t i, wire::ShareCheck& m4a, std::uint8_t how) {
    if (how == 255) m4a.d_v[0] ^= 1;
    m4a.bad_dealers = {static_cast<std::uint8_t>(how & 0x1f)};
    if (how >= 128) std::swap(m4a.bad_dealers, m4a.other_keys);
    secagg::sign_share_check(members().members[i].signing, members().h, m4a);
  }

  void bend(std::uint32_t i, wire::Opening& m4c, std::uint8_t how) {
    wire::OpenedShare& opened = m4c.shares[how % m4c.shares.size()];
    if (how < 64)
      opened.b[0] ^= 1;
    else if (how < 128)
      opened.r[0] ^= 1;
    else if (how < 192)
      m4c.shares.push_back(opened);
    else
      m4c.shares.pop_back();
    secagg::sign_opening(members().members[i].signing, members().h, m4c);
  }

  void bend(std::uint32_t i, wire::UploadHeader& m5, std::uint8_t how) {
    if (how % 2 == 0) m5.d_u2[0] ^= 1;
    if (how % 2 == 1) {  // other bytes, properly announced
      packed_[i].at(how % packed_[i].size()) ^= 1;
      spoilt_ = true;
      m5 = members().upload_header(i, *announced_.u2, packed_[i]);
      return;
    }
    secagg::sign_upload(members().members[i].signing, members().h, m5);
  }

  void bend(std::uint32_t, wire::BlobData& data, std::uint8_t how) {
    if (how % 4 == 0) data.data.at(how % data.data.size()) ^= 1;
    if (how % 4 == 1) data.total += 1;
    if (how % 4 == 2) data.offset ^= how;
    if (how % 4 == 3) data.data.pop_back();
  }

  void bend(std::uint32_t i, wire::Endorse& m7, std::uint8_t how) {
    IndexSet other = *announced_.s;
    other.erase(other.begin() + how % static_cast<int>(other.size()));
    m7 = members().endorse(i, *announced_.u2, other);
  }

  void bend(std::uint32_t i, wire::UnmaskResponse& m9, std::uint8_t how) {
    wire::RevealedShare& share = m9.shares[how % m9.shares.size()];
    if (how < 64)
      share.share[0] ^= 1;
    else if (how < 128)
      share.kind = share.kind == wire::ShareKind::kSelfMask ? wire::ShareKind::kMaskKey
                                                            : wire::ShareKind::kSelfMask;
    else if (how < 192)
      m9.shares.push_back(share);
    else
      m9.shares.pop_back();
    secagg::sign_unmask_response(members().members[i].signing, members().h, m9);
  }

  /// A member says, under its own name or another's, what it or another one would say.
  void out_of_turn() {
    const std::uint32_t speaker = in_.byte() % kMembers;
    const std::uint32_t owner = in_.byte() % kMembers;
    const IndexSet all = members().all();
    const IndexSet u2 = announced_.u2.value_or(all);
    switch (in_.byte() % 8) {
      case 0:
        return say(speaker, members().members[owner].m1);
      case 1:
        return say(speaker, members().shares(owner, announced_.u1.value_or(all)));
      case 2:
        return say(speaker, members().check(owner, announced_.v.value_or(all)));
      case 3:
        return say(speaker, members().upload_header(owner, u2, masked_input(owner, u2)));
      case 4:
        return say(speaker, members().endorse(owner, u2, announced_.s.value_or(u2)));
      case 5:
        return say(speaker, members().unmask(owner, u2, announced_.s.value_or(u2)));
      case 6:
        return say(speaker, members().abort_vote(owner));
      default:
        return say(speaker, wire::BlobRequest{members().header.model_hash, in_.byte(), in_.byte()});
    }
  }

  void raw_frame() {
    const std::uint32_t i = in_.byte() % kMembers;
    const auto decoded = wire::decode(in_.bytes(in_.byte() * 4U));
    if (!decoded.ok()) return;
    ++messages_;
    take(machine_.handle({members().roster[i].id, decoded->round, decoded->message}, now_));
  }

  void leave() { say(in_.byte() % kMembers, wire::LeaveRound{"I must"}); }

  void connects() {
    take(machine_.member_connected(MemberId{in_.byte()}, now_));
    take(machine_.member_connected(members().roster[in_.byte() % kMembers].id, now_));
  }

  void loses() { inbox_[in_.byte() % kMembers].clear(); }

  void time_passes() {
    now_ += Duration{in_.byte() * 50};
    take(machine_.tick(now_));
  }

  void pool_finishes() {
    if (sum_ && !ended_) take(machine_.summed(std::move(*sum_), now_));
  }

  void closes() {
    if (ended_ && !announced_.m10) take(machine_.close(Bytes32{3}, now_));
  }

  Input in_;
  RoundStateMachine machine_;
  TimePoint now_{Duration{1000}};
  Announced announced_;
  std::array<std::vector<wire::Message>, kMembers> inbox_;
  std::array<Bytes, kMembers> packed_;
  std::optional<encoding::RingUpdate> sum_;
  bool spoilt_ = false;  // somebody lied about its own seeds or bytes: the sum may be refused
  bool ended_ = false;
  int messages_ = 0;
};

const std::array<RoundFuzz::Operation, 10> RoundFuzz::kOperations{
    &RoundFuzz::answer_all,  &RoundFuzz::answer_bent,   &RoundFuzz::time_passes,
    &RoundFuzz::out_of_turn, &RoundFuzz::pool_finishes, &RoundFuzz::closes,
    &RoundFuzz::leave,       &RoundFuzz::connects,      &RoundFuzz::loses,
    &RoundFuzz::raw_frame};

}  // namespace
}  // namespace sotto::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sotto::fuzz::RoundFuzz(sotto::fuzz::Input(data, size)).run();
  return 0;
}

// The participant's session under a coordinator that is the input: a program of messages, honest or
// bent in one of many ways and signed all the same, of raw frames, of time, restarts and failures.
// The coordinator holds the keys of all other members too, so nothing protects the session but its
// own rules; SessionChecker says which must hold.
#include <filesystem>

#include <unistd.h>

#include "common/wire/blob_transfer.h"
#include "tests/fuzz/session_checker.h"

namespace sotto::fuzz {
namespace {

using participant::ParticipantSession;
using participant::SessionOutput;
using secagg::IndexSet;

constexpr int kMaxSteps = 60;

World& world() {
  static World one;
  return one;
}

/// A ledger of this process in memory-backed storage where there is one: only it can release.
privacy::PrivacyLedger& ledger() {
  static privacy::PrivacyLedger one = [] {
    const std::filesystem::path shm = "/dev/shm";
    const auto base =
        std::filesystem::is_directory(shm) ? shm : std::filesystem::temp_directory_path();
    std::string folder = (base / "sotto-fuzz-XXXXXX").string();
    require(::mkdtemp(folder.data()) != nullptr, "there is a place for temporary files");
    auto opened = privacy::PrivacyLedger::open(std::filesystem::path(folder) / "ledger").value();
    std::filesystem::remove_all(folder);  // the open file lives on
    return opened;
  }();
  return one;
}

class SessionFuzz {
 public:
  explicit SessionFuzz(Input input) : in_(input) { start(); }

  void run() {
    for (int step = 0; step < kMaxSteps && !in_.empty(); ++step)
      (this->*kOperations.at(in_.byte() % kOperations.size()))();
  }

 private:
  using Operation = void (SessionFuzz::*)();
  static const std::array<Operation, 22> kOperations;

  void start() {
    session_.emplace(world().agreement, world().roster[0].id, world().roster,
                     world().coordinator.verify_key(), world().keys[0], preshared_, random_,
                     checker_.guard());
  }

  // ---- what comes out

  void take(SessionOutput out, const wire::Message* incoming) {
    checker_.see(out, incoming);
    for (const wire::Envelope& envelope : out.send) {
      if (const auto* m1 = std::get_if<wire::Advertise>(&envelope.message)) m1_ = *m1;
      if (const auto* m3 = std::get_if<wire::Shares>(&envelope.message)) m3_ = *m3;
      if (const auto* m5 = std::get_if<wire::UploadHeader>(&envelope.message)) m5_ = *m5;
      if (const auto* m7 = std::get_if<wire::Endorse>(&envelope.message)) m7_ = *m7;
      if (const auto* vote = std::get_if<wire::AbortVote>(&envelope.message)) vote_ = *vote;
      if (const auto* request = std::get_if<wire::BlobRequest>(&envelope.message))
        asked_.push_back(*request);
    }
    if (out.mask) mask_ = std::move(out.mask);
  }

  void deliver(wire::Message message) {
    last_ = message;
    deliver_to(header_.round, std::move(message), kCoordinatorId);
  }

  void deliver_to(RoundNumber round, const wire::Message& message, MemberId peer) {
    take(session_->handle({peer, round, message}, now_), &message);
  }

  // ---- messages. `how` is a set of ways to bend one; 0 is honest.

  void offer() {
    wire::RoundHeader header = world().header(number());
    const std::uint8_t field = in_.byte();
    if (field != 0) bend(header, field, in_.byte());
    wire::Offer m0{.header = header,
                   .deadline_ms = {1000, 1000, 1000, 1000, 1000, 1000},
                   .cohort = wire::to_bitmap(kMembers, in_.set(kMembers)),
                   .signature = {}};
    secagg::sign_offer(world().coordinator, m0);
    if (in_.byte() % 8 == 7) m0.deadline_ms[0] += 1;
    m1_.reset();
    deliver_to(header.round, m0, kCoordinatorId);
    if (m1_) {
      header_ = header;
      h_ = secagg::header_hash(header);
      m3_.reset(), m5_.reset(), m7_.reset(), vote_.reset();
    }
  }

  static void bend(wire::RoundHeader& header, std::uint8_t field, std::uint8_t by) {
    const std::array<std::uint32_t*, 7> numbers{&header.n, &header.C, &header.k,    &header.t,
                                                &header.q, &header.Q, &header.s_min};
    if (field <= numbers.size()) *numbers.at(field - 1U) += by;
    if (field == 17) header.witnesses += by;
    if (field == 8) header.run[0] ^= by;
    if (field == 9) header.roster_hash[0] ^= by;
    if (field == 10) header.cohort_hash[0] ^= by;
    if (field == 11) header.model_hash[0] ^= by;
    if (field == 12) header.config_hash[0] ^= by;
    if (field == 13) header.prg_id = by;
    if (field == 14) header.round.value += by;
    if (field == 15) header.lanes[0].bits ^= by;
    if (field == 16) header.lanes.pop_back();
  }

  void later_round() { ++server_round_; }

  /// The same server round again: an input that is free may be used in it.
  void later_attempt() { ++attempt_; }

  [[nodiscard]] RoundNumber number() const {
    return RoundNumber::of(1U + server_round_ % 4U, attempt_);
  }

  const Dealt* dealt(const IndexSet& u1) {
    return m1_ ? &world().dealt(header_, u1, *m1_) : nullptr;
  }

  void key_list() {
    u1_ = in_.set(kMembers);
    const std::uint8_t how = in_.byte();
    const Dealt* others = dealt(u1_);
    if (others == nullptr) return;
    wire::KeyList m2{.u1 = wire::to_bitmap(kMembers, u1_), .signature = {}, .advertisements = {}};
    for (std::uint32_t i : u1_)
      if (i != 0 || (how & 1) != 0) m2.advertisements.push_back(*others->m1[i]);
    auto& list = m2.advertisements;
    if ((how & 2) != 0 && !list.empty()) list.pop_back();
    if ((how & 4) != 0 && list.size() > 1) std::swap(list[0], list[1]);
    if ((how & 8) != 0 && list.size() > 1)
      resign(list[1], [&](auto& m) { m.pk_mask = list[0].pk_mask; });
    if ((how & 16) != 0 && !list.empty()) resign(list[0], [](auto& m) { m.pk_enc = {}; });
    if ((how & 32) != 0 && !list.empty()) list[0].cm_b[0] ^= 1;
    secagg::sign_key_list(world().coordinator, h_, m2);
    if ((how & 64) != 0) m2.signature[0] ^= 1;
    deliver(m2);
  }

  template <class Change>
  void resign(wire::Advertise& m1, const Change& change) {
    change(m1);
    const auto index = secagg::Cohort(world().roster).index_of(m1.id);
    secagg::sign_advertise(world().keys[*index], h_, m1);
  }

  void share_forward() {
    const IndexSet v = v_ = in_.set(kMembers);
    const std::uint8_t how = in_.byte();
    const Dealt* others = dealt(u1_);
    if (others == nullptr) return;
    wire::ShareForward m4{.v = wire::to_bitmap(kMembers, v), .signature = {}, .entries = {}};
    for (std::uint32_t i : v) {
      if (i == 0 || !others->m3[i]) continue;
      wire::ShareEntry entry = others->m3[i]->entries.front();  // U1 holds 0, who is the first
      if ((how >> i & 1) != 0) entry.ciphertext[in_.byte() % 80] ^= 1;
      if ((how & 16) != 0 && m3_) entry.ciphertext = m3_->entries.back().ciphertext;  // reflected
      if ((how & 1) == 0)
        secagg::sign_share_entry(world().keys[i], h_, world().roster[i].id, entry);
      m4.entries.push_back({world().roster[i].id, entry});
    }
    if ((how & 32) != 0 && !m4.entries.empty()) m4.entries.pop_back();
    secagg::sign_share_forward(world().coordinator, h_, m4);
    if ((how & 64) != 0) m4.signature[0] ^= 1;
    deliver(m4);
  }

  /// Asks for shares of the session, with complaints that their holders sign, or bent ones.
  void complaints() {
    const IndexSet holders = in_.set(kMembers);
    const std::uint8_t how = in_.byte();
    wire::Complaints m4b;
    for (std::uint32_t i : holders) {
      wire::ShareCheck check{.id = world().roster[i].id,
                             .d_v = secagg::digest_v(h_, wire::to_bitmap(kMembers, v_)),
                             .bad_dealers = {static_cast<std::uint8_t>((how & 1) != 0 ? 2 : 1)},
                             .other_keys = {0},
                             .signature = {}};
      if ((how & 2) != 0) check.d_v[0] ^= 1;
      secagg::sign_share_check((how & 4) != 0 ? world().coordinator : world().keys[i], h_, check);
      m4b.checks.push_back(check);
    }
    deliver(m4b);
  }

  void fix() {
    u2_ = in_.set(kMembers);
    wire::Fix m4u{.u2 = wire::to_bitmap(kMembers, u2_), .signature = {}};
    secagg::sign_fix(world().coordinator, h_, m4u);
    if (in_.byte() % 8 == 7) m4u.u2[0] ^= 2;
    deliver(m4u);
  }

  void survivors() {
    s_ = in_.set(kMembers);
    const std::uint8_t how = in_.byte();
    const IndexSet u2 = (how & 1) != 0 ? in_.set(kMembers) : u2_;
    wire::Survivors m6{.d_u2 = secagg::digest_u2(h_, wire::to_bitmap(kMembers, u2)),
                       .s = wire::to_bitmap(kMembers, s_),
                       .signature = {}};
    secagg::sign_survivors(world().coordinator, h_, m6);
    if ((how & 2) != 0) m6.s[0] ^= 1;
    deliver(m6);
  }

  void unmask_request() {
    const IndexSet signers = in_.set(kMembers);
    const std::uint8_t how = in_.byte();
    const IndexSet s = (how & 1) != 0 ? in_.set(kMembers) : s_;
    const IndexSet u2 = (how & 2) != 0 ? in_.set(kMembers) : u2_;
    wire::UnmaskRequest m8;
    m8.d_u2 = secagg::digest_u2(h_, wire::to_bitmap(kMembers, u2));
    m8.d_s = secagg::digest_s(h_, m8.d_u2, wire::to_bitmap(kMembers, s));
    for (std::uint32_t i : signers) {
      if (i == 0 && !m7_) continue;  // nobody else has its key
      wire::Endorse m7{.id = world().roster[i].id, .signature = {}};
      const Bytes32 h = (how & 16) != 0 && i == 3 ? Bytes32{9} : h_;
      secagg::sign_endorse(world().keys[i], h, m8.d_u2, m8.d_s, m7);
      m8.certificate.push_back(i == 0 ? *m7_ : m7);
    }
    if ((how & 4) != 0 && !m8.certificate.empty()) m8.certificate.push_back(m8.certificate.back());
    for (std::uint32_t i : s) {
      wire::UploadHeader m5{.id = world().roster[i].id,
                            .d_u2 = (how & 8) != 0 && i == 2 ? Bytes32{9} : m8.d_u2,
                            .hash_y = Bytes32{5},
                            .signature = {}};
      secagg::sign_upload(world().keys[i], h_, m5);
      m8.headers.push_back(i == 0 && m5_ ? *m5_ : m5);
    }
    if ((how & 32) != 0 && !m8.headers.empty()) m8.headers.pop_back();
    if ((how & 64) != 0 && !m8.certificate.empty()) m8.certificate[0].id = MemberId{77};
    deliver(m8);
  }

  void abort_request() {
    const std::uint8_t how = in_.byte();
    wire::AbortRequest m6{.header = header_, .signature = {}};
    if ((how & 1) != 0) m6.header = world().header(number());
    if ((how & 2) != 0) m6.header.run[0] ^= 1;
    if ((how & 4) != 0) m6.header.model_hash[0] ^= 1;
    secagg::sign_abort_request(world().coordinator, m6);
    if ((how & 8) != 0) m6.signature[0] ^= 1;
    deliver(m6);
  }

  void abort_certificate() {
    const IndexSet voters = in_.set(kMembers);
    const std::uint8_t how = in_.byte();
    wire::AbortCertificate m8;
    for (std::uint32_t i : voters) {
      if (i == 0 && !vote_) continue;
      wire::AbortVote vote{.id = world().roster[i].id, .signature = {}};
      secagg::sign_abort_vote(world().keys[i], (how & 1) != 0 && i == 3 ? Bytes32{9} : h_, vote);
      m8.votes.push_back(i == 0 ? *vote_ : vote);
    }
    if ((how & 2) != 0 && !m8.votes.empty()) m8.votes.push_back(m8.votes.back());
    deliver(m8);
  }

  void result() {
    wire::RoundResult m10{.status = static_cast<wire::RoundStatus>(in_.byte() % 4)};
    secagg::sign_result(world().coordinator, h_, m10);
    if (in_.byte() % 8 == 7) m10.model_hash[0] ^= 1;
    deliver(m10);
  }

  void repeated() {
    if (last_) deliver(*last_);
  }

  void raw_frame() {
    const MemberId peer = in_.byte() == 0 ? kCoordinatorId : world().roster[1].id;
    const auto decoded = wire::decode(in_.bytes(in_.byte() * 4U));
    if (decoded.ok()) deliver_to(decoded->round, decoded->message, peer);
  }

  void upload_pull() {
    wire::BlobRequest request{
        .blob = m5_ ? m5_->hash_y : Bytes32{}, .offset = in_.byte(), .length = in_.byte()};
    if (in_.byte() % 8 == 7) request.offset = ~std::uint64_t{0} - request.offset;
    deliver(request);
  }

  // ---- the site's own side

  void serve_model() {
    if (asked_.empty()) return;
    const wire::BlobRequest request = asked_.back();
    asked_.pop_back();
    auto data = wire::answer(request, encode_parameters(world().model));
    wire::BlobData reply = data.ok() ? std::move(data).value() : wire::absent(request);
    const std::uint8_t how = in_.byte();
    if (how == 1) reply = wire::absent(request);
    if (how == 2 && !reply.data.empty()) reply.data.back() ^= 1;
    if (how == 3) reply.total += 1;
    if (how == 4) reply.offset += 1;
    deliver(reply);
  }

  void time_passes() {
    now_ += Duration{in_.byte() * 1000};
    take(session_->tick(now_), nullptr);
  }

  void computed() {
    const Status outcome = in_.byte() % 8 == 7 ? Status(Error{"no data"}) : Status();
    take(session_->computed(header_.round, outcome, now_), nullptr);
  }

  void masked() {
    if (!mask_) return;
    participant::MaskRequest request = std::move(*mask_);
    mask_.reset();
    encoding::RingUpdate update;
    for (const auto& lane : request.job.lanes)
      update.lanes.emplace_back(lane);
    static std::uint64_t charges = 0;
    const privacy::Charge charge{.dataset_id = "d" + std::to_string(charges++),
                                 .run = world().agreement.run,
                                 .round = request.round,
                                 .job_hash = {},
                                 .steps = std::nullopt,
                                 .without_privacy = false};
    if (in_.byte() % 8 == 7)
      return take(session_->masked(request.round, Error{"no budget"}, now_), nullptr);
    take(session_->masked(
             request.round,
             ledger().charge_and_release(charge, {.max_epsilon = 1, .delta = 1e-5},
                                         std::move(request.job).run(std::move(update), 1)),
             now_),
         nullptr);
  }

  void reconnected() { take(session_->reconnected(now_), nullptr); }

  void guard_fails() { take(session_->guard_failed(now_), nullptr); }

  void restart() {
    checker_.restarted();
    mask_.reset();
    asked_.clear();
    start();
  }

  Input in_;
  crypto::StreamRandom random_{7};
  SessionChecker checker_{world()};
  const secagg::PresharedKeys preshared_;
  std::optional<ParticipantSession> session_;
  TimePoint now_{Duration{1000}};
  std::uint8_t server_round_ = 0;
  std::uint16_t attempt_ = 0;
  wire::RoundHeader header_;
  Bytes32 h_{};
  IndexSet u1_, v_, u2_, s_;
  std::optional<wire::Advertise> m1_;
  std::optional<wire::Shares> m3_;
  std::optional<wire::UploadHeader> m5_;
  std::optional<wire::Endorse> m7_;
  std::optional<wire::AbortVote> vote_;
  std::optional<wire::Message> last_;
  std::vector<wire::BlobRequest> asked_;
  std::optional<participant::MaskRequest> mask_;
};

const std::array<SessionFuzz::Operation, 22> SessionFuzz::kOperations{
    &SessionFuzz::offer,         &SessionFuzz::serve_model,       &SessionFuzz::key_list,
    &SessionFuzz::share_forward, &SessionFuzz::computed,          &SessionFuzz::fix,
    &SessionFuzz::masked,        &SessionFuzz::survivors,         &SessionFuzz::unmask_request,
    &SessionFuzz::result,        &SessionFuzz::later_round,       &SessionFuzz::repeated,
    &SessionFuzz::raw_frame,     &SessionFuzz::upload_pull,       &SessionFuzz::time_passes,
    &SessionFuzz::reconnected,   &SessionFuzz::guard_fails,       &SessionFuzz::restart,
    &SessionFuzz::abort_request, &SessionFuzz::abort_certificate, &SessionFuzz::later_attempt,
    &SessionFuzz::complaints};

}  // namespace
}  // namespace sotto::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sotto::fuzz::SessionFuzz(sotto::fuzz::Input(data, size)).run();
  return 0;
}

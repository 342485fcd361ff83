#include "common/secagg/client.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/base/parallel.h"
#include "common/crypto/declassify.h"
#include "common/crypto/hash.h"
#include "common/crypto/shamir.h"
#include "common/secagg/graph.h"
#include "common/secagg/transcript.h"
#include "common/wire/codec.h"

namespace sotto::secagg {
namespace {

constexpr std::array<std::uint8_t, 32> kNoPsk{};
constexpr std::size_t kShareBytes = 32;

using wire::ShareKind;

/// What one dealer gave this member: plaintext of a share entry, share_b || share_r.
using SharePair = crypto::Secret64;

std::span<const std::uint8_t, kShareBytes> share_of(const SharePair& pair, ShareKind kind) {
  return kind == ShareKind::kSelfMask ? pair.expose().first<kShareBytes>()
                                      : pair.expose().last<kShareBytes>();
}

Bytes32 to_bytes32(std::span<const std::uint8_t, 32> secret) {
  Bytes32 out{};
  std::copy(secret.begin(), secret.end(), out.begin());
  return out;
}

crypto::AgreementKey fresh_agreement_key(crypto::SecureRandom& random) {
  return crypto::AgreementKey(crypto::Secret32::random(random));
}

Error refused(const char* message, const std::string& why) {
  return Error{std::string(message) + " refused: " + why};
}

std::string name_of(MemberId id) {
  return "member " + std::to_string(raw(id));
}

}  // namespace

struct Client::State {
  State(const wire::RoundHeader& round_header, Cohort round_cohort, MemberId self_id,
        const crypto::SigningKey& signing_key, const crypto::VerifyKey& coordinator_key,
        crypto::SecureRandom& random)
      : header(round_header),
        cohort(std::move(round_cohort)),
        self(self_id),
        me(cohort.index_of(self_id).value()),
        graph(round_header),
        neighbours(graph.neighbours(me)),
        holders(graph.holders(me)),
        signing(&signing_key),
        coordinator(coordinator_key),
        h(header_hash(round_header)),
        b(crypto::random_scalar(random)),
        r(crypto::random_scalar(random)),
        enc_key(fresh_agreement_key(random)),
        mask_key(mask_agreement_key(r, h, self_id)) {
    SOTTO_CHECK(cohort.size() == header.n, "the header's n is the size of the cohort");
    wire::Advertise m1{.id = self,
                       .pk_enc = enc_key.public_key(),
                       .pk_mask = mask_key.public_key(),
                       .cm_b = commit_self_seed(h, self, b),
                       .signature = {}};
    sign_advertise(*signing, h, m1);
    m1s[me] = m1;
  }

  wire::RoundHeader header;
  Cohort cohort;
  MemberId self;
  std::uint32_t me;  // cohort index
  MaskGraph graph;
  IndexSet neighbours;  // who exchange keys and masks with this member
  IndexSet holders;     // who have a share of this member's secrets; it has one of theirs
  const crypto::SigningKey* signing;
  crypto::VerifyKey coordinator;
  Bytes32 h;
  unsigned threads = 1;

  crypto::Secret32 b, r;
  crypto::AgreementKey enc_key, mask_key;
  // By cohort index, and only for those that this member has to do with: a simulation holds
  // thousands of clients.
  std::map<std::uint32_t, wire::Advertise> m1s;  // own, after M2 those of neighbours
  std::map<std::uint32_t, crypto::Secret32> ze;  // of neighbours, M2 to M4: seals shares both ways
  std::map<std::uint32_t, SharePair> held;       // by dealer: good shares after M4, own from M2
  IndexSet complaints;
  std::optional<IndexSet> u1, v, u2, s;
  Bytes32 d_u2{}, d_s{};
  bool upload_signed = false;
  std::optional<wire::UnmaskResponse> response;

  [[nodiscard]] std::uint32_t bound() const { return std::max(header.Q, header.s_min); }

  [[nodiscard]] MemberId id_of(std::uint32_t index) const { return cohort.at(index).id; }

  [[nodiscard]] const crypto::VerifyKey& key_of(std::uint32_t index) const {
    return cohort.at(index).verify_key;
  }

  [[nodiscard]] Result<IndexSet> read_set(const char* message, const wire::Bitmap& bitmap,
                                          const IndexSet* outer) const;
  [[nodiscard]] Status check_advertisements(const wire::KeyList& m2, const IndexSet& members) const;
  [[nodiscard]] Bytes context_with(std::uint32_t other) const;
  [[nodiscard]] crypto::Secret32 share_key(std::uint32_t from, std::uint32_t to) const;
  [[nodiscard]] Bytes share_ad(MemberId from, const wire::ShareEntry& entry) const;
  [[nodiscard]] wire::ShareEntry seal_entry(std::uint32_t to, const SharePair& shares,
                                            crypto::SecureRandom& random) const;
  [[nodiscard]] std::optional<SharePair> open_entry(std::uint32_t from,
                                                    const wire::ShareEntry& entry) const;
  [[nodiscard]] Status check_certificate(const wire::UnmaskRequest& m8) const;
  [[nodiscard]] Status check_upload_headers(const wire::UnmaskRequest& m8) const;
};

Client::Client(const wire::RoundHeader& header, Cohort cohort, MemberId self,
               const crypto::SigningKey& signing, const crypto::VerifyKey& coordinator,
               crypto::SecureRandom& random)
    : state_(
          std::make_unique<State>(header, std::move(cohort), self, signing, coordinator, random)) {}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

const Bytes32& Client::h() const {
  return state_->h;
}

void Client::use_threads(unsigned threads) {
  state_->threads = threads;
}

const Cohort& Client::cohort() const {
  return state_->cohort;
}

/// The rules that U1, V, U2 and S share: a well-formed bitmap, inside the set before it, with this
/// member, with enough members, and at least t holders of this member's secrets.
Result<IndexSet> Client::State::read_set(const char* message, const wire::Bitmap& bitmap,
                                         const IndexSet* outer) const {
  auto set = wire::from_bitmap(header.n, bitmap);
  if (!set.ok()) return refused(message, set.error().message);
  if (outer != nullptr && !is_subset(*set, *outer))
    return refused(message, "it names a member that was not in the set before");
  if (!contains(*set, me)) return refused(message, "this member was left out");
  if (set->size() < bound())
    return refused(message, std::to_string(set->size()) + " members, at least " +
                                std::to_string(bound()) + " are needed");
  if (intersection(holders, *set).size() < header.t)
    return refused(message, "fewer than t holders of this member's secrets");
  return set;
}

// ---- M1

wire::Advertise Client::advertise() {
  return state_->m1s.at(state_->me);
}

// ---- M2 -> M3

Status Client::State::check_advertisements(const wire::KeyList& m2, const IndexSet& members) const {
  const IndexSet expected = intersection(neighbours, members);
  if (m2.advertisements.size() != expected.size())
    return refused("M2", "not one advertisement for every neighbour in U1");
  const wire::Advertise& own = m1s.at(me);
  std::set<crypto::PublicKey> keys{own.pk_enc, own.pk_mask};
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (m2.advertisements[i].id != id_of(expected[i]))
      return refused("M2", "the advertisements are not U1 in order");
  const auto unsigned_one = first_bad(expected.size(), threads, [&](std::size_t i) {
    return verify_advertise(key_of(expected[i]), h, m2.advertisements[i]);
  });
  if (unsigned_one)
    return refused("M2", "the advertisement of " + name_of(m2.advertisements[*unsigned_one].id) +
                             " is not signed by it");
  for (const wire::Advertise& m1 : m2.advertisements) {
    for (const crypto::PublicKey& key : {m1.pk_enc, m1.pk_mask}) {
      if (crypto::is_low_order(key))
        return refused("M2", name_of(m1.id) + " has a key of low order");
      if (!keys.insert(key).second)
        return refused("M2", "a key of " + name_of(m1.id) + " occurs twice");
    }
  }
  return {};
}

/// P_ij of this member and another: h || lo || hi || M1_lo || M1_hi.
Bytes Client::State::context_with(std::uint32_t other) const {
  return pair_context(h, m1s.at(std::min(me, other)), m1s.at(std::max(me, other)));
}

/// K_{i->j}: directional, so that a ciphertext sent back to its sealer does not open.
crypto::Secret32 Client::State::share_key(std::uint32_t from, std::uint32_t to) const {
  const std::uint32_t other = from == me ? to : from;
  ByteWriter direction;
  direction.u32(raw(id_of(from)));
  direction.u32(raw(id_of(to)));
  return crypto::kdf("SA1 senc", ze.at(other), {kNoPsk, context_with(other), direction.view()});
}

Bytes Client::State::share_ad(MemberId from, const wire::ShareEntry& entry) const {
  ByteWriter out;
  out.bytes(h);
  out.u32(raw(from));
  out.u32(raw(entry.to));
  out.u32(header.t);
  out.bytes(entry.cb);
  out.bytes(entry.cr);
  return out.take();
}

wire::ShareEntry Client::State::seal_entry(std::uint32_t to, const SharePair& shares,
                                           crypto::SecureRandom& random) const {
  wire::ShareEntry entry{
      .to = id_of(to), .nonce = {}, .ciphertext = {}, .cb = {}, .cr = {}, .signature = {}};
  entry.cb =
      commit_share(ShareKind::kSelfMask, h, self, entry.to, share_of(shares, ShareKind::kSelfMask));
  entry.cr =
      commit_share(ShareKind::kMaskKey, h, self, entry.to, share_of(shares, ShareKind::kMaskKey));
  if (to != me) {
    random.fill(entry.nonce);
    const Bytes sealed =
        crypto::seal(share_key(me, to), entry.nonce, shares.expose(), share_ad(self, entry));
    std::copy(sealed.begin(), sealed.end(), entry.ciphertext.begin());
  }
  sign_share_entry(*signing, h, self, entry);
  return entry;
}

Result<wire::Shares> Client::deal(const wire::KeyList& m2, crypto::SecureRandom& random) {
  State& state = *state_;
  SOTTO_CHECK(!state.u1, "M2 is accepted once");
  if (!verify_key_list(state.coordinator, state.h, m2))
    return refused("M2", "the coordinator's signature does not verify");
  auto u1 = state.read_set("M2", m2.u1, nullptr);
  if (!u1.ok()) return u1.error();
  if (Status keys = state.check_advertisements(m2, *u1); !keys.ok()) return keys.error();
  for (const wire::Advertise& m1 : m2.advertisements)
    state.m1s[*state.cohort.index_of(m1.id)] = m1;
  state.u1 = std::move(u1).value();
  for (std::uint32_t other : intersection(state.neighbours, *state.u1)) {
    auto agreed = state.enc_key.agree(state.m1s.at(other).pk_enc);
    SOTTO_CHECK(agreed.ok(), "keys of low order were refused at M2");
    state.ze.emplace(other, std::move(agreed).value());
  }

  // Points are cohort index + 1 for all holders of the cohort, so that U1 does not move them.
  std::vector<std::uint32_t> points;
  for (std::uint32_t holder : state.holders)
    points.push_back(holder + 1);
  const auto b_shares = crypto::share_secret(state.b, state.header.t, points, random);
  const auto r_shares = crypto::share_secret(state.r, state.header.t, points, random);
  wire::Shares m3{.id = state.self, .entries = {}};
  for (std::size_t at = 0; at < state.holders.size(); ++at) {
    const std::uint32_t holder = state.holders[at];
    if (!contains(*state.u1, holder)) continue;
    SharePair pair;
    std::ranges::copy(b_shares[at].expose(), pair.writable().begin());
    std::ranges::copy(r_shares[at].expose(), pair.writable().begin() + kShareBytes);
    m3.entries.push_back(state.seal_entry(holder, pair, random));
    if (holder == state.me) state.held.emplace(holder, std::move(pair));
  }
  return m3;
}

// ---- M4 -> M4A

/// Nothing when the dealer's entry, although signed by it, is bad: a complaint.
std::optional<SharePair> Client::State::open_entry(std::uint32_t from,
                                                   const wire::ShareEntry& entry) const {
  SharePair pair;
  if (!crypto::open(share_key(from, me), entry.nonce, entry.ciphertext,
                    share_ad(id_of(from), entry), pair.writable()))
    return std::nullopt;
  for (ShareKind kind : {ShareKind::kSelfMask, ShareKind::kMaskKey}) {
    const auto share = share_of(pair, kind);
    const Bytes32& committed = kind == ShareKind::kSelfMask ? entry.cb : entry.cr;
    // A complaint is public, and so is whether a share deserves one.
    if (!crypto::declassified(crypto::is_canonical_scalar(share))) return std::nullopt;
    if (commit_share(kind, h, id_of(from), self, share) != committed) return std::nullopt;
  }
  return pair;
}

Result<wire::ShareCheck> Client::check_shares(const wire::ShareForward& m4) {
  State& state = *state_;
  SOTTO_CHECK(state.u1 && !state.v, "M4 is accepted once, after M2");
  if (!verify_share_forward(state.coordinator, state.h, m4))
    return refused("M4", "the coordinator's signature does not verify");
  auto v = state.read_set("M4", m4.v, &*state.u1);
  if (!v.ok()) return v.error();
  const IndexSet dealers = intersection(state.neighbours, *v);
  if (m4.entries.size() != dealers.size())
    return refused("M4", "not one share from every neighbour in V");
  for (std::size_t i = 0; i < dealers.size(); ++i)
    if (m4.entries[i].from != state.id_of(dealers[i]) || m4.entries[i].entry.to != state.self)
      return refused("M4", "the shares are not V's for this member in order");
  // A wrong signature is the coordinator's doing, not the dealer's (section 2.6).
  const auto unsigned_one = first_bad(dealers.size(), state.threads, [&](std::size_t i) {
    return verify_share_entry(state.key_of(dealers[i]), state.h, m4.entries[i].from,
                              m4.entries[i].entry);
  });
  if (unsigned_one)
    return refused(
        "M4", "the share from " + name_of(m4.entries[*unsigned_one].from) + " is not signed by it");
  for (std::size_t i = 0; i < dealers.size(); ++i) {
    auto pair = state.open_entry(dealers[i], m4.entries[i].entry);
    if (pair)
      state.held.emplace(dealers[i], *std::move(pair));
    else
      state.complaints.push_back(dealers[i]);
  }
  state.ze.clear();  // nothing more is sealed or opened in this round
  state.v = std::move(v).value();
  wire::ShareCheck m4a{.id = state.self,
                       .d_v = digest_v(state.h, m4.v),
                       .bad_dealers = wire::to_bitmap(state.header.n, state.complaints),
                       .signature = {}};
  sign_share_check(*state.signing, state.h, m4a);
  return m4a;
}

// ---- M4U -> M5

Status Client::accept_u2(const wire::Fix& m4u) {
  State& state = *state_;
  SOTTO_CHECK(state.v && !state.u2, "M4U is accepted once, after M4");
  if (!verify_fix(state.coordinator, state.h, m4u))
    return refused("M4U", "the coordinator's signature does not verify");
  IndexSet good;
  std::ranges::set_difference(*state.v, state.complaints, std::back_inserter(good));
  auto u2 = state.read_set("M4U", m4u.u2, &good);
  if (!u2.ok()) return u2.error();
  state.u2 = std::move(u2).value();
  state.d_u2 = digest_u2(state.h, m4u.u2);
  return {};
}

MaskJob Client::mask_job() {
  const State& state = *state_;
  SOTTO_CHECK(state.u2.has_value(), "masks are over U2");
  MaskJob job{.h = state.h, .id = state.self, .lanes = state.header.lanes, .seeds = {}};
  job.seeds.push_back({.kind = MaskSeed::Kind::kSelf,
                       .secret = state.b.clone(),
                       .self_id = state.self,
                       .sign = crypto::MaskSign::kAdd});
  for (std::uint32_t other : intersection(state.neighbours, *state.u2)) {
    auto secret =
        pair_secret(state.mask_key, state.m1s.at(other).pk_mask, state.context_with(other));
    SOTTO_CHECK(secret.ok(), "keys of low order were refused at M2");
    // The lower cohort index adds, the other subtracts: the two cancel in the sum.
    job.seeds.push_back(
        {.kind = MaskSeed::Kind::kPair,
         .secret = std::move(secret).value(),
         .self_id = {},
         .sign = state.me < other ? crypto::MaskSign::kAdd : crypto::MaskSign::kSubtract});
  }
  return job;
}

MaskedUpdate MaskJob::run(codec::RingUpdate update, unsigned threads) && {
  SOTTO_CHECK(update.lanes.size() == lanes.size(), "an update has the round's lanes");
  for (std::size_t i = 0; i < lanes.size(); ++i)
    SOTTO_CHECK(update.lanes[i].spec() == lanes[i], "an update has the round's lanes");
  apply_masks(update.lanes, h, seeds, threads);  // in place: no plain word remains
  seeds.clear();
  Bytes packed = update.pack();
  crypto::declassify(packed);  // masked: y may be seen by anybody
  const Bytes32 hash_y = hash_of_upload(h, id, lanes, packed);
  return {std::move(packed), hash_y};
}

wire::UploadHeader Client::upload_header(const Bytes32& hash_y) {
  State& state = *state_;
  SOTTO_CHECK(state.u2 && !state.upload_signed, "one upload a round, after M4U");
  wire::UploadHeader m5{.id = state.self, .d_u2 = state.d_u2, .hash_y = hash_y, .signature = {}};
  sign_upload(*state.signing, state.h, m5);
  state.upload_signed = true;
  return m5;
}

// ---- M6 -> M7

Result<Client::Endorsement> Client::endorse(const wire::Survivors& m6) {
  State& state = *state_;
  SOTTO_CHECK(state.upload_signed, "survivors are endorsed after the upload");
  if (!verify_survivors(state.coordinator, state.h, m6))
    return refused("M6", "the coordinator's signature does not verify");
  if (m6.d_u2 != state.d_u2) return refused("M6", "it is about another U2");
  auto s = state.read_set("M6", m6.s, &*state.u2);
  if (!s.ok()) return s.error();
  // Survivors that this certificate leaves whole: everybody's secrets can be opened, and the honest
  // ones stay connected (bound B of 2.4), so that no part of the sum comes out alone.
  if (const IndexSet lost = state.graph.short_of_holders(*s); !lost.empty())
    return refused("M6", name_of(state.id_of(lost.front())) + " has fewer than t holders in S");
  if (!state.graph.windows_are_full(*s))
    return refused("M6", "more than q members of a window of the ring are not in S");
  const Bytes32 d_s = digest_s(state.h, m6.d_u2, m6.s);
  if (state.s && d_s != state.d_s) return refused("M6", "another S was endorsed in this round");
  state.s = std::move(s).value();
  state.d_s = d_s;
  Endorsement out{.d_u2 = state.d_u2, .d_s = d_s, .message = {.id = state.self, .signature = {}}};
  sign_endorse(*state.signing, state.h, state.d_u2, d_s, out.message);
  return out;
}

// ---- M8 -> M9

/// R2: Q distinct valid endorsements by witnesses.
Status Client::State::check_certificate(const wire::UnmaskRequest& m8) const {
  IndexSet signers;
  for (const wire::Endorse& endorsement : m8.certificate) {
    const auto signer = cohort.index_of(endorsement.id);
    if (!signer) return refused("M8", "an endorsement by somebody outside the cohort");
    if (*signer >= header.witnesses)
      return refused("M8", "an endorsement by a member that is no witness");
    if (!signers.empty() && signers.back() >= *signer)
      return refused("M8", "the endorsements are not of distinct members in order");
    signers.push_back(*signer);
  }
  const auto forged = first_bad(signers.size(), threads, [&](std::size_t i) {
    return verify_endorse(key_of(signers[i]), h, d_u2, d_s, m8.certificate[i]);
  });
  if (forged)
    return refused(
        "M8", "the endorsement of " + name_of(m8.certificate[*forged].id) + " does not verify");
  if (m8.certificate.size() < header.Q)
    return refused("M8", std::to_string(m8.certificate.size()) + " endorsements, " +
                             std::to_string(header.Q) + " are needed");
  return {};
}

/// R3: an honest member of S whose view of U2 differs left other masks out; its seed stays sealed.
Status Client::State::check_upload_headers(const wire::UnmaskRequest& m8) const {
  const IndexSet dealers = intersection(holders, *s);  // whose seed this member can help to open
  if (m8.headers.size() != dealers.size())
    return refused("M8", "not one upload header for every member of S whose share it holds");
  for (std::size_t i = 0; i < dealers.size(); ++i) {
    const wire::UploadHeader& m5 = m8.headers[i];
    if (m5.id != id_of(dealers[i])) return refused("M8", "the upload headers are not S in order");
    if (m5.d_u2 != d_u2) return refused("M8", name_of(m5.id) + " uploaded under another U2");
  }
  const auto forged = first_bad(dealers.size(), threads, [&](std::size_t i) {
    return verify_upload(key_of(dealers[i]), h, m8.headers[i]);
  });
  if (forged)
    return refused(
        "M8", "the upload header of " + name_of(m8.headers[*forged].id) + " is not signed by it");
  return {};
}

Result<wire::UnmaskResponse> Client::unmask(const wire::UnmaskRequest& m8) {
  State& state = *state_;
  // R1
  if (!state.s || m8.d_s != state.d_s || m8.d_u2 != state.d_u2)
    return refused("M8", "this member has not endorsed that S");
  if (Status certificate = state.check_certificate(m8); !certificate.ok())
    return certificate.error();
  if (Status headers = state.check_upload_headers(m8); !headers.ok()) return headers.error();
  // R4: one answer a round. R1 holds it to the endorsed S; it is never made a second time.
  if (state.response) return *state.response;

  wire::UnmaskResponse m9{
      .id = state.self, .d_u2 = state.d_u2, .d_s = state.d_s, .shares = {}, .signature = {}};
  for (std::uint32_t dealer : intersection(state.holders, *state.u2)) {
    const ShareKind kind = contains(*state.s, dealer) ? ShareKind::kSelfMask : ShareKind::kMaskKey;
    SOTTO_CHECK(state.held.contains(dealer), "U2 holds only dealers of good shares");
    m9.shares.push_back(
        {state.id_of(dealer), kind, to_bytes32(share_of(state.held.at(dealer), kind))});
  }
  for (const auto& revealed : m9.shares)
    crypto::declassify(revealed.share);  // the certificate entitles everybody to it
  sign_unmask_response(*state.signing, state.h, m9);
  state.response = m9;
  state.held.clear();  // the other kind is of no use from here on
  return m9;
}

bool Client::accepts_result(const wire::RoundResult& m10) const {
  return verify_result(state_->coordinator, state_->h, m10);
}

}  // namespace sotto::secagg

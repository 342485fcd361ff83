#include "common/secagg/client/client.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/base/parallel.h"
#include "common/crypto/declassify.h"
#include "common/crypto/hash.h"
#include "common/crypto/shamir.h"
#include "common/secagg/client/client_state.h"

namespace sotto::secagg {
namespace {

constexpr std::array<std::uint8_t, 32> kNoPsk{};

using wire::ShareKind;

}  // namespace

Client::Client(const wire::RoundHeader& header, Cohort cohort, MemberId self,
               const crypto::SigningKey& signing, const PresharedKeys& preshared,
               const crypto::VerifyKey& coordinator, crypto::SecureRandom& random)
    : state_(std::make_unique<State>(header, std::move(cohort), self, signing, preshared,
                                     coordinator, random)) {}

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

/// Checks the rules that U1, V, U2 and S share and returns the set: a well-formed bitmap, a subset
/// of the set before it, with this member, with enough members, and with at least t holders of this
/// member's secrets.
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

/// Returns P_ij of this member and another: h || lo || hi || M1_lo || M1_hi.
Bytes Client::State::context_with(std::uint32_t other) const {
  return pair_context(h, m1s.at(std::min(me, other)), m1s.at(std::max(me, other)));
}

/// Returns K_{i->j}. The key depends on the direction, so that a ciphertext that is sent back to
/// its sealer does not open.
crypto::Secret32 Client::State::share_key(std::uint32_t from, std::uint32_t to) const {
  const std::uint32_t other = from == me ? to : from;
  ByteWriter direction;
  direction.u32(raw(id_of(from)));
  direction.u32(raw(id_of(to)));
  const auto key = preshared.find(other);
  const BytesView psk = key == preshared.end() ? BytesView(kNoPsk) : key->second.sealing.expose();
  return crypto::kdf("SA1 senc", ze.at(other), {psk, context_with(other), direction.view()});
}

Bytes Client::State::share_ad(MemberId from, const wire::ShareEntry& entry) const {
  return ByteWriter()
      .bytes(h)
      .u32(raw(from))
      .u32(raw(entry.to))
      .u32(header.t)
      .bytes(entry.cb)
      .bytes(entry.cr)
      .take();
}

wire::ShareEntry Client::State::seal_entry(std::uint32_t to, const SharePair& shares,
                                           crypto::SecureRandom& random) const {
  wire::ShareEntry entry{.to = id_of(to)};
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
  if (const auto key = preshared.find(to); key != preshared.end())
    entry.escrow =
        make_escrow({.h = h, .dealer = self, .holder = entry.to}, key->second.masking, r);
  sign_share_entry(*signing, h, self, entry);
  return entry;
}

Result<wire::Shares> Client::deal(const wire::KeyList& m2, crypto::SecureRandom& random) {
  State& state = *state_;
  SOTTO_CHECK(!state.u1, "M2 is accepted once");
  if (!verify_key_list(state.coordinator, state.h, m2))
    return refused("M2", "the coordinator's signature does not verify");
  SOTTO_ASSIGN_OR_RETURN(auto u1, state.read_set("M2", m2.u1, nullptr));
  SOTTO_TRY(state.check_advertisements(m2, u1));
  for (const wire::Advertise& m1 : m2.advertisements)
    state.m1s[*state.cohort.index_of(m1.id)] = m1;
  state.u1 = std::move(u1);
  for (std::uint32_t other : intersection(state.neighbours, *state.u1)) {
    auto agreed = state.enc_key.agree(state.m1s.at(other).pk_enc);
    SOTTO_CHECK(agreed.ok(), "keys of low order were refused at M2");
    state.ze.emplace(other, std::move(agreed).value());
  }

  // The points are cohort index + 1 for all holders of the cohort, so that they do not depend on
  // U1.
  std::vector<std::uint32_t> points;
  for (std::uint32_t holder : state.holders)
    points.push_back(holder + 1);
  const auto b_shares = crypto::share_secret(state.b, state.header.t, points, random);
  const auto r_shares = crypto::share_secret(state.r, state.header.t, points, random);
  wire::Shares m3{.id = state.self};
  for (std::size_t at = 0; at < state.holders.size(); ++at) {
    const std::uint32_t holder = state.holders[at];
    if (!contains(*state.u1, holder)) continue;
    SharePair pair;
    std::ranges::copy(b_shares[at].expose(), pair.writable().begin());
    std::ranges::copy(r_shares[at].expose(), pair.writable().begin() + kShareBytes);
    m3.entries.push_back(state.seal_entry(holder, pair, random));
    (holder == state.me ? state.held : state.dealt).emplace(holder, std::move(pair));
  }
  return m3;
}

// ---- M4 -> M4A

/// Returns whether both members have the same pre-shared key, or neither has one.
bool Client::State::escrow_fits(std::uint32_t from, const wire::ShareEntry& entry) const {
  const auto key = preshared.find(from);
  if (key == preshared.end() || !entry.escrow) return key == preshared.end() && !entry.escrow;
  return commits_to(*entry.escrow, {.h = h, .dealer = id_of(from), .holder = self},
                    key->second.masking);
}

bool Client::State::fits(std::uint32_t dealer, const SharePair& pair,
                         const Commitments& committed) const {
  return std::ranges::all_of(
      std::array{ShareKind::kSelfMask, ShareKind::kMaskKey}, [&](ShareKind kind) {
        const auto share = share_of(pair, kind);
        // A complaint is public, so whether a share leads to one may be declassified.
        return crypto::declassified(crypto::is_canonical_scalar(share)) &&
               commit_share(kind, h, id_of(dealer), self, share) == committed.of(kind);
      });
}

/// Returns the shares in a dealer's signed entry. Returns nothing when the entry is bad, which
/// leads to a complaint.
std::optional<SharePair> Client::State::open_entry(std::uint32_t from,
                                                   const wire::ShareEntry& entry) const {
  SharePair pair;
  if (!crypto::open(share_key(from, me), entry.nonce, entry.ciphertext,
                    share_ad(id_of(from), entry), pair.writable()) ||
      !fits(from, pair, {.b = entry.cb, .r = entry.cr}))
    return std::nullopt;
  return pair;
}

Result<wire::ShareCheck> Client::check_shares(const wire::ShareForward& m4) {
  State& state = *state_;
  SOTTO_CHECK(state.u1 && !state.v, "M4 is accepted once, after M2");
  if (!verify_share_forward(state.coordinator, state.h, m4))
    return refused("M4", "the coordinator's signature does not verify");
  SOTTO_ASSIGN_OR_RETURN(auto v, state.read_set("M4", m4.v, &*state.u1));
  const IndexSet dealers = intersection(state.neighbours, v);
  if (m4.entries.size() != dealers.size())
    return refused("M4", "not one share from every neighbour in V");
  for (std::size_t i = 0; i < dealers.size(); ++i)
    if (m4.entries[i].from != state.id_of(dealers[i]) || m4.entries[i].entry.to != state.self)
      return refused("M4", "the shares are not V's for this member in order");
  // The coordinator, and not the dealer, is responsible for a wrong signature (section 2.6).
  const auto unsigned_one = first_bad(dealers.size(), state.threads, [&](std::size_t i) {
    return verify_share_entry(state.key_of(dealers[i]), state.h, m4.entries[i].from,
                              m4.entries[i].entry);
  });
  if (unsigned_one)
    return refused(
        "M4", "the share from " + name_of(m4.entries[*unsigned_one].from) + " is not signed by it");
  for (std::size_t i = 0; i < dealers.size(); ++i) {
    const wire::ShareEntry& entry = m4.entries[i].entry;
    // With a differing pre-shared key the share cannot open either, so this is no complaint about
    // the share.
    if (!state.escrow_fits(dealers[i], entry))
      state.other_keys.push_back(dealers[i]);
    else if (auto pair = state.open_entry(dealers[i], entry))
      state.held.emplace(dealers[i], *std::move(pair));
    else
      state.complaints.emplace(dealers[i], Commitments{.b = entry.cb, .r = entry.cr});
  }
  state.ze.clear();  // nothing more is sealed or opened in this round
  state.v = std::move(v);
  state.d_v = digest_v(state.h, m4.v);
  IndexSet bad_dealers;
  for (const auto& [dealer, committed] : state.complaints)
    bad_dealers.push_back(dealer);
  wire::ShareCheck m4a{.id = state.self,
                       .d_v = state.d_v,
                       .bad_dealers = wire::to_bitmap(state.header.n, bad_dealers),
                       .other_keys = wire::to_bitmap(state.header.n, state.other_keys)};
  sign_share_check(*state.signing, state.h, m4a);
  return m4a;
}

// ---- M5

MaskJob Client::mask_job() {
  const State& state = *state_;
  SOTTO_CHECK(state.u2.has_value(), "masks are over U2");
  MaskJob job{.h = state.h, .id = state.self, .lanes = state.header.lanes};
  job.seeds.push_back({.kind = MaskSeed::Kind::kSelf,
                       .secret = state.b.clone(),
                       .self_id = state.self,
                       .sign = crypto::MaskSign::kAdd});
  const crypto::Secret32 no_key;
  for (std::uint32_t other : intersection(state.neighbours, *state.u2)) {
    const auto key = state.preshared.find(other);
    auto secret = pair_secret(state.mask_key, state.m1s.at(other).pk_mask,
                              key == state.preshared.end() ? no_key : key->second.masking,
                              state.context_with(other));
    SOTTO_CHECK(secret.ok(), "keys of low order were refused at M2");
    // The member with the lower cohort index adds the mask and the other one subtracts it, so that
    // they cancel in the sum.
    job.seeds.push_back(
        {.kind = MaskSeed::Kind::kPair,
         .secret = std::move(secret).value(),
         .sign = state.me < other ? crypto::MaskSign::kAdd : crypto::MaskSign::kSubtract});
  }
  return job;
}

MaskedUpdate MaskJob::run(encoding::RingUpdate update, unsigned threads) && {
  SOTTO_CHECK(update.lanes.size() == lanes.size(), "an update has the round's lanes");
  for (std::size_t i = 0; i < lanes.size(); ++i)
    SOTTO_CHECK(update.lanes[i].spec() == lanes[i], "an update has the round's lanes");
  apply_masks(update.lanes, h, seeds, threads);  // in place: no plain word remains
  seeds.clear();
  Bytes packed = update.pack();
  crypto::declassify(packed);  // y is masked and public
  const Bytes32 hash_y = hash_of_upload(h, id, lanes, packed);
  return {std::move(packed), hash_y};
}

wire::UploadHeader Client::upload_header(const Bytes32& hash_y) {
  State& state = *state_;
  SOTTO_CHECK(state.u2 && !state.upload_signed, "one upload a round, after M4U");
  wire::UploadHeader m5{.id = state.self, .d_u2 = state.d_u2, .hash_y = hash_y};
  sign_upload(*state.signing, state.h, m5);
  state.upload_signed = true;
  return m5;
}

}  // namespace sotto::secagg

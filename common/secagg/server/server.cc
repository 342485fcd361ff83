#include <span>

#include "common/base/parallel.h"
#include "common/secagg/server/server_state.h"

namespace sotto::secagg {

Server::Server(const wire::RoundHeader& header, Cohort cohort, const crypto::SigningKey& signing)
    : state_(std::make_unique<State>(header, std::move(cohort), signing)) {}

Server::~Server() = default;
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&&) noexcept = default;

void Server::use_threads(unsigned threads) {
  state_->threads = threads;
}

const Bytes32& Server::h() const {
  return state_->h;
}

const Cohort& Server::cohort() const {
  return state_->cohort;
}

const IndexSet& Server::advertised() const {
  return state_->advertised;
}

const IndexSet& Server::dealt() const {
  return state_->dealt;
}

const IndexSet& Server::uploaded() const {
  return state_->uploaded;
}

const IndexSet& Server::endorsed() const {
  return state_->endorsed;
}

const IndexSet& Server::responded() const {
  return state_->responded;
}

const IndexSet& Server::u1() const {
  SOTTO_CHECK(state_->u1.has_value(), "U1 is fixed");
  return *state_->u1;
}

const IndexSet& Server::v() const {
  SOTTO_CHECK(state_->v.has_value(), "V is fixed");
  return *state_->v;
}

const IndexSet& Server::u2() const {
  SOTTO_CHECK(state_->u2.has_value(), "U2 is fixed");
  return *state_->u2;
}

const IndexSet& Server::s() const {
  SOTTO_CHECK(state_->s.has_value(), "S is fixed");
  return *state_->s;
}

// ---- Advertise

MessageResult Server::State::check_advertise(const wire::Advertise& m1, std::uint32_t from) const {
  if (!verify_advertise(key_of(from), h, m1)) return MessageResult::rejected("M1: bad signature");
  if (m1.pk_enc == m1.pk_mask) return MessageResult::rejected("M1: its two keys are the same");
  for (const auto& key : {m1.pk_enc, m1.pk_mask}) {
    if (crypto::is_low_order(key)) return MessageResult::rejected("M1: a key of low order");
    if (keys_seen.contains(key)) return MessageResult::rejected("M1: another member's key");
  }
  return MessageResult::accepted();
}

MessageResult Server::accept(const wire::Advertise& m1) {
  State& state = *state_;
  const auto from = state.cohort.index_of(m1.id);
  if (!from) return MessageResult::rejected("M1: not a member of the cohort");
  auto& held = state.sent[*from].m1;
  if (auto again = repeated(held, m1)) return *again;
  if (state.u1) return MessageResult::ignored("M1: late");
  MessageResult result = state.check_advertise(m1, *from);
  if (result.kind != MessageResult::Kind::kAccepted) return result;
  held = m1;
  state.keys_seen.insert({m1.pk_enc, m1.pk_mask});
  insert(state.advertised, *from);
  return result;
}

Status Server::fix_u1() {
  SOTTO_CHECK(!state_->u1, "U1 is fixed once");
  SOTTO_TRY(state_->enough(state_->advertised, "advertised keys"));
  state_->u1 = state_->advertised;
  state_->holders.reserve(state_->header.n);
  for (std::uint32_t dealer = 0; dealer < state_->header.n; ++dealer)
    state_->holders.push_back(intersection(state_->graph.holders(dealer), *state_->u1));
  return {};
}

wire::KeyList Server::key_list(MemberId to) const {
  wire::KeyList m2;
  m2.u1 = state_->bitmap(u1());
  const auto member = state_->cohort.index_of(to);
  SOTTO_CHECK(member && contains(u1(), *member), "M2 goes to members of U1");
  for (std::uint32_t index : state_->holders[*member])
    if (index != *member) m2.advertisements.push_back(*state_->sent[index].m1);
  sign_key_list(*state_->signing, state_->h, m2);
  return m2;
}

// ---- Share

MessageResult Server::State::check_shares(const wire::Shares& m3, std::uint32_t from) const {
  const IndexSet& to = holders[from];
  if (m3.entries.size() != to.size()) return MessageResult::rejected("M3: not one entry a holder");
  for (std::size_t rank = 0; rank < m3.entries.size(); ++rank)
    if (m3.entries[rank].to != cohort.at(to[rank]).id)
      return MessageResult::rejected("M3: the entries are not for U1 in order");
  const auto forged = first_bad(m3.entries.size(), threads, [&](std::size_t i) {
    return verify_share_entry(key_of(from), h, m3.id, m3.entries[i]);
  });
  return forged ? MessageResult::rejected("M3: bad signature of an entry")
                : MessageResult::accepted();
}

MessageResult Server::accept(const wire::Shares& m3) {
  State& state = *state_;
  const auto from = state.cohort.index_of(m3.id);
  if (!from) return MessageResult::rejected("M3: not a member of the cohort");
  auto& held = state.sent[*from].m3;
  if (auto again = repeated(held, m3)) return *again;
  if (!state.u1) return MessageResult::rejected("M3: before the key list");
  if (state.v) return MessageResult::ignored("M3: late");
  if (!contains(*state.u1, *from)) return MessageResult::rejected("M3: not in U1");
  MessageResult result = state.check_shares(m3, *from);
  if (result.kind != MessageResult::Kind::kAccepted) return result;
  held = m3;
  insert(state.dealt, *from);
  return result;
}

Status Server::fix_v() {
  SOTTO_CHECK(state_->u1 && !state_->v, "V is fixed once, after U1");
  SOTTO_TRY(state_->enough(state_->dealt, "dealt shares"));
  state_->v = state_->dealt;
  state_->d_v = digest_v(state_->h, state_->bitmap(*state_->v));
  return {};
}

wire::ShareForward Server::share_forward(MemberId to) const {
  wire::ShareForward m4;
  m4.v = state_->bitmap(v());
  const auto holder = state_->cohort.index_of(to);
  SOTTO_CHECK(holder && contains(v(), *holder), "M4 goes to members of V");
  for (std::uint32_t dealer : intersection(state_->graph.neighbours(*holder), v()))
    m4.entries.push_back({state_->cohort.at(dealer).id, state_->entry(dealer, *holder)});
  sign_share_forward(*state_->signing, state_->h, m4);
  return m4;
}

// ---- Upload

MessageResult Server::accept(const wire::UploadHeader& m5) {
  State& state = *state_;
  const auto from = state.cohort.index_of(m5.id);
  if (!from) return MessageResult::rejected("M5: not a member of the cohort");
  auto& held = state.sent[*from].m5;
  if (auto again = repeated(held, m5)) return *again;
  if (!state.u2) return MessageResult::rejected("M5: before U2 was fixed");
  if (state.s) return MessageResult::ignored("M5: late");
  if (!contains(*state.u2, *from)) return MessageResult::rejected("M5: not in U2");
  if (m5.d_u2 != state.d_u2) return MessageResult::rejected("M5: another U2");
  if (!verify_upload(state.key_of(*from), state.h, m5))
    return MessageResult::rejected("M5: bad signature");
  held = m5;
  return MessageResult::accepted();
}

Status Server::check_upload(MemberId id, BytesView packed) const {
  const auto& lanes = state_->header.lanes;
  if (packed.size() != upload_bytes(lanes)) return Error{"the upload has another length"};
  return check_upload(id, hash_of_upload(state_->h, id, lanes, packed));
}

Status Server::check_upload(MemberId id, const Bytes32& hash_y) const {
  const State& state = *state_;
  const auto from = state.cohort.index_of(id);
  SOTTO_CHECK(from && state.sent[*from].m5, "an upload follows its accepted header");
  if (hash_y != state.sent[*from].m5->hash_y)
    return Error{"the upload does not have the hash that its header signs"};
  return {};
}

void Server::upload_complete(MemberId id) {
  const auto from = state_->cohort.index_of(id);
  SOTTO_CHECK(from && state_->sent[*from].m5, "an upload follows its accepted header");
  SOTTO_CHECK(!state_->s, "no upload counts after S is fixed");
  insert(state_->uploaded, *from);
}

// ---- Endorse

Status Server::fix_s() {
  State& state = *state_;
  SOTTO_CHECK(state.u2 && !state.s, "S is fixed once, after U2");
  SOTTO_TRY(state.enough(state.uploaded, "uploaded"));
  if (state.witnesses_in(state.uploaded) < state.header.Q)
    return Error{"only " + std::to_string(state.witnesses_in(state.uploaded)) +
                 " witnesses uploaded; " + std::to_string(state.header.Q) + " are needed"};
  if (const IndexSet lost = state.graph.short_of_holders(state.uploaded); !lost.empty())
    return Error{"member " + std::to_string(raw(state.cohort.at(lost.front()).id)) +
                 " uploaded, but fewer than t holders of its secrets did"};
  if (!state.graph.windows_are_full(state.uploaded))
    return Error{"more than " + std::to_string(state.header.q) +
                 " uploads are missing in a window of the ring"};
  state.s = state.uploaded;
  state.d_s = digest_s(state.h, state.d_u2, state.bitmap(*state.s));
  return {};
}

wire::Survivors Server::survivors() const {
  wire::Survivors m6{.d_u2 = state_->d_u2, .s = state_->bitmap(s())};
  sign_survivors(*state_->signing, state_->h, m6);
  return m6;
}

MessageResult Server::accept(MemberId from_id, const wire::Endorse& m7) {
  State& state = *state_;
  const auto from = state.cohort.index_of(from_id);
  if (!from || m7.id != from_id) return MessageResult::rejected("M7: not a member of the cohort");
  auto& held = state.sent[*from].m7;
  if (auto again = repeated(held, m7)) return *again;
  if (!state.s) return MessageResult::rejected("M7: before S was fixed");
  if (!contains(*state.s, *from)) return MessageResult::rejected("M7: not in S");
  if (!verify_endorse(state.key_of(*from), state.h, state.d_u2, state.d_s, m7))
    return MessageResult::rejected("M7: bad signature, or over another S");
  held = m7;
  insert(state.endorsed, *from);
  const auto witnesses = std::span(state.endorsed).first(state.witnesses_in(state.endorsed));
  if (state.certificate.empty() && witnesses.size() == state.header.Q)
    for (std::uint32_t index : witnesses)
      state.certificate.push_back(*state.sent[index].m7);
  return MessageResult::accepted();
}

bool Server::has_quorum() const {
  return !state_->certificate.empty();
}

wire::UnmaskRequest Server::unmask_request(MemberId to) const {
  SOTTO_CHECK(has_quorum(), "M8 carries a certificate");
  wire::UnmaskRequest m8;
  m8.certificate = state_->certificate;
  m8.d_u2 = state_->d_u2;
  m8.d_s = state_->d_s;
  const auto member = state_->cohort.index_of(to);
  SOTTO_CHECK(member && contains(s(), *member), "M8 goes to members of S");
  for (std::uint32_t index : intersection(state_->holders[*member], s()))
    m8.headers.push_back(*state_->sent[index].m5);
  return m8;
}

wire::RoundResult Server::result(wire::RoundStatus status, const Bytes32& aggregate_hash,
                                 const Bytes32& model_hash) const {
  wire::RoundResult m10{.status = status,
                        .d_s = state_->d_s,
                        .aggregate_hash = aggregate_hash,
                        .model_hash = model_hash};
  sign_result(*state_->signing, state_->h, m10);
  return m10;
}

}  // namespace sotto::secagg

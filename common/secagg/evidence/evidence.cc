#include "common/secagg/evidence/evidence.h"

#include <algorithm>
#include <optional>
#include <span>

#include "common/crypto/shamir.h"
#include "common/secagg/shared/masking.h"
#include "common/secagg/shared/preshared.h"
#include "common/secagg/shared/transcript.h"
#include "common/wire/codec.h"

namespace sotto::secagg {
namespace {

constexpr std::string_view kMagic = "SOTTO EVIDENCE 1";
constexpr std::uint32_t kMaxMessages = 1U << 15;

/// The values that are needed to check the messages of a round: h, t, and the keys of the signers.
struct Book {
  Bytes32 h{};
  std::size_t t = 0;
  crypto::VerifyKey coordinator{};
  Cohort cohort;

  [[nodiscard]] const crypto::VerifyKey* key(MemberId id) const {
    const auto index = cohort.index_of(id);
    return index ? &cohort.at(*index).verify_key : nullptr;
  }
};

template <class M>
MemberId author(const M& m) {
  if constexpr (requires { m.id; })
    return m.id;
  else
    return kCoordinatorId;
}

// ---- Signatures, and the one form of each message in evidence

template <class M, class Verify>
bool by_member(const Book& book, const M& m, const Verify& verify) {
  const crypto::VerifyKey* key = book.key(m.id);
  return key != nullptr && verify(*key, book.h, m);
}

bool is_signed(const Book& book, const wire::Advertise& m) {
  return by_member(book, m, verify_advertise);
}

bool is_signed(const Book& book, const wire::Shares& m) {
  const crypto::VerifyKey* key = book.key(m.id);
  return key != nullptr && m.entries.size() == 1 &&
         verify_share_entry(*key, book.h, m.id, m.entries[0]);
}

bool is_signed(const Book& book, const wire::ShareCheck& m) {
  return by_member(book, m, verify_share_check);
}

bool is_signed(const Book& book, const wire::Opening& m) {
  return by_member(book, m, verify_opening);
}

bool is_signed(const Book& book, const wire::UploadHeader& m) {
  return by_member(book, m, verify_upload);
}

bool is_signed(const Book& book, const wire::UnmaskResponse& m) {
  return by_member(book, m, verify_unmask_response);
}

bool is_signed(const Book& book, const wire::AbortVote& m) {
  return by_member(book, m, verify_abort_vote);
}

bool is_signed(const Book& book, const wire::Offer& m) {
  return verify_offer(book.coordinator, m);
}

bool is_signed(const Book& book, const wire::KeyList& m) {
  return m.advertisements.empty() && verify_key_list(book.coordinator, book.h, m);
}

bool is_signed(const Book& book, const wire::ShareForward& m) {
  return m.entries.empty() && verify_share_forward(book.coordinator, book.h, m);
}

bool is_signed(const Book& book, const wire::Fix& m) {
  return m.opened.empty() && verify_fix(book.coordinator, book.h, m);
}

bool is_signed(const Book& book, const wire::Survivors& m) {
  return verify_survivors(book.coordinator, book.h, m);
}

/// An UnmaskRequest with a single endorsement represents that endorsement and the S that it
/// endorses.
bool is_signed(const Book& book, const wire::UnmaskRequest& m) {
  if (m.certificate.size() != 1 || !m.headers.empty()) return false;
  const crypto::VerifyKey* key = book.key(m.certificate[0].id);
  return key != nullptr && verify_endorse(*key, book.h, m.d_u2, m.d_s, m.certificate[0]);
}

// ---- Differences between two messages

template <class M>
bool differ(M a, M b) {
  a.signature = b.signature = {};
  return !(a == b);
}

bool differ(const wire::Shares& a, const wire::Shares& b) {
  return a.entries[0].to == b.entries[0].to && differ(a.entries[0], b.entries[0]);
}

/// The coordinator may offer a round again with other deadlines, but not with another header.
bool differ(const wire::Offer& a, const wire::Offer& b) {
  return a.header.run == b.header.run && a.header.round == b.header.round &&
         !(a.header == b.header);
}

bool differ(const wire::UnmaskRequest& a, const wire::UnmaskRequest& b) {
  return a.d_u2 != b.d_u2 || a.d_s != b.d_s;
}

// ---- Kinds of evidence

Error flawed(const char* why) {
  return Error{std::string("the evidence proves nothing: ") + why};
}

template <class M>
Result<Finding> of_two(const Book& book, const Evidence& e, const char* rule) {
  const auto* a = std::get_if<M>(&e.messages[0]);
  const auto* b = std::get_if<M>(&e.messages[1]);
  if (a == nullptr || b == nullptr) return flawed("its messages are of two kinds");
  if (author(*a) != author(*b)) return flawed("its messages have two authors");
  if (!is_signed(book, *a) || !is_signed(book, *b)) return flawed("a signature does not fit");
  if (!differ(*a, *b)) return flawed("its messages say the same");
  return Finding{author(*a), std::string(wire::name_of(e.messages[0])) + ": " + rule};
}

template <class M, class... Kinds>
constexpr bool kSentOnce = (std::is_same_v<M, Kinds> || ...);

Result<Finding> two_messages(const Book& book, const Evidence& e) {
  constexpr const char* kRule = "two different messages of this kind in one round";
  if (e.messages.size() != 2) return flawed("it needs two messages");
  if (const auto* first = std::get_if<wire::Offer>(&e.messages[0]);
      first != nullptr && !(first->header == e.header))
    return flawed("its first offer is of another header");
  return std::visit(
      [&]<class M>(const M& /*first*/) -> Result<Finding> {
        if constexpr (kSentOnce<M, wire::Offer, wire::Advertise, wire::KeyList, wire::Shares,
                                wire::ShareForward, wire::ShareCheck, wire::Opening, wire::Fix,
                                wire::UploadHeader, wire::Survivors, wire::UnmaskResponse>)
          return of_two<M>(book, e, kRule);
        else
          return flawed("its messages are of a kind that may differ");
      },
      e.messages[0]);
}

Result<Finding> two_endorsements(const Book& book, const Evidence& e) {
  if (e.messages.size() != 2) return flawed("it needs two endorsements");
  if (const auto two = of_two<wire::UnmaskRequest>(book, e, ""); !two.ok()) return two.error();
  const MemberId one = std::get<wire::UnmaskRequest>(e.messages[0]).certificate[0].id;
  if (std::get<wire::UnmaskRequest>(e.messages[1]).certificate[0].id != one)
    return flawed("its messages have two authors");
  return Finding{one, "Endorse: two sets of survivors in one round"};
}

Result<Finding> endorsed_and_aborted(const Book& book, const Evidence& e) {
  const auto* m7 =
      e.messages.size() == 2 ? std::get_if<wire::UnmaskRequest>(&e.messages[0]) : nullptr;
  const auto* vote = m7 != nullptr ? std::get_if<wire::AbortVote>(&e.messages[1]) : nullptr;
  if (vote == nullptr) return flawed("it needs an endorsement and a vote");
  if (!is_signed(book, *m7) || !is_signed(book, *vote)) return flawed("a signature does not fit");
  if (m7->certificate[0].id != vote->id) return flawed("its messages have two authors");
  return Finding{vote->id, "BurnVote: from a member that endorsed survivors of this round"};
}

/// Returns the share that `m9` reveals of this entry's dealer, when both are signed and belong
/// together, and null otherwise.
const wire::RevealedShare* share_of_entry(const Book& book, const wire::Message& m3,
                                          const wire::Message& m9) {
  const auto* dealt = std::get_if<wire::Shares>(&m3);
  const auto* answer = std::get_if<wire::UnmaskResponse>(&m9);
  if (dealt == nullptr || answer == nullptr || !is_signed(book, *dealt) ||
      !is_signed(book, *answer) || dealt->entries[0].to != answer->id)
    return nullptr;
  const auto at = std::ranges::find(answer->shares, dealt->id, &wire::RevealedShare::dealer);
  return at == answer->shares.end() ? nullptr : &*at;
}

bool fits(const Book& book, const wire::Shares& m3, const wire::RevealedShare& share) {
  const wire::ShareEntry& entry = m3.entries[0];
  return crypto::is_canonical_scalar(share.share) &&
         commit_share(share.kind, book.h, m3.id, entry.to, share.share) ==
             (share.kind == wire::ShareKind::kSelfMask ? entry.cb : entry.cr);
}

Result<Finding> wrong_share(const Book& book, const Evidence& e) {
  const auto* share =
      e.messages.size() == 2 ? share_of_entry(book, e.messages[0], e.messages[1]) : nullptr;
  if (share == nullptr) return flawed("it needs a dealer's entry and its holder's answer");
  if (fits(book, std::get<wire::Shares>(e.messages[0]), *share))
    return flawed("the share fits its commitment");
  return Finding{std::get<wire::UnmaskResponse>(e.messages[1]).id,
                 "UnmaskResponse: not the share that member " + std::to_string(raw(share->dealer)) +
                     " committed to"};
}

Result<Finding> wrong_opening(const Book& book, const Evidence& e) {
  const auto* m3 = e.messages.size() == 2 ? std::get_if<wire::Shares>(&e.messages[0]) : nullptr;
  const auto* m4c = m3 != nullptr ? std::get_if<wire::Opening>(&e.messages[1]) : nullptr;
  if (m4c == nullptr || m3->id != m4c->id || !is_signed(book, *m3) || !is_signed(book, *m4c))
    return flawed("it needs a dealer's entry and what the dealer opened");
  const MemberId holder = m3->entries[0].to;
  const auto opened = std::ranges::find(m4c->shares, holder, &wire::OpenedShare::member);
  if (opened == m4c->shares.end()) return flawed("the share of that holder was not opened");
  if (fits(book, *m3, {m3->id, wire::ShareKind::kSelfMask, opened->b}) &&
      fits(book, *m3, {m3->id, wire::ShareKind::kMaskKey, opened->r}))
    return flawed("the share fits its commitment");
  return Finding{m3->id, "Opening: not the share that it committed to for member " +
                             std::to_string(raw(holder))};
}

struct OpenedSecret {
  wire::ShareKind kind{};
  crypto::Secret32 secret;
};

/// Returns the secret of a dealer from the shares that t holders revealed: for each the entry of M3
/// and the M9 that fits it.
Result<OpenedSecret> opened(const Book& book, MemberId dealer,
                            std::span<const wire::Message> entries_and_answers) {
  std::vector<std::uint32_t> points;
  std::vector<Bytes32> shares;
  std::optional<wire::ShareKind> kind;
  for (std::size_t i = 0; i < entries_and_answers.size(); i += 2) {
    const wire::Message& entry = entries_and_answers[i];
    const wire::Message& answer = entries_and_answers[i + 1];
    const auto* share = share_of_entry(book, entry, answer);
    if (share == nullptr || share->dealer != dealer || share->kind != kind.value_or(share->kind) ||
        !fits(book, std::get<wire::Shares>(entry), *share))
      return flawed("a share is not one that the dealer committed to");
    kind = share->kind;
    const MemberId holder = std::get<wire::UnmaskResponse>(answer).id;
    points.push_back(*book.cohort.index_of(holder) + 1);
    shares.push_back(share->share);
  }
  SOTTO_ASSIGN_OR_RETURN(auto reconstructor, crypto::Reconstructor::create(points));
  return OpenedSecret{.kind = *kind, .secret = reconstructor.reconstruct(shares)};
}

bool is_committed(const Book& book, const wire::Advertise& m1, const OpenedSecret& opened) {
  return opened.kind == wire::ShareKind::kSelfMask
             ? commit_self_seed(book.h, m1.id, opened.secret) == m1.cm_b
             : mask_agreement_key(opened.secret, book.h, m1.id).public_key() == m1.pk_mask;
}

Result<Finding> inconsistent_dealer(const Book& book, const Evidence& e) {
  const auto* m1 = e.messages.empty() ? nullptr : std::get_if<wire::Advertise>(&e.messages[0]);
  if (m1 == nullptr || !is_signed(book, *m1) || e.messages.size() != 1 + 2 * book.t)
    return flawed("it needs a dealer's M1 and t shares");
  SOTTO_ASSIGN_OR_RETURN(const auto secret, opened(book, m1->id, std::span(e.messages).subspan(1)));
  if (is_committed(book, *m1, secret))
    return flawed("the shares give what the dealer committed to");
  return Finding{m1->id, "Shares: t of them do not give what its Advertise committed to"};
}

Result<Finding> closed_escrow(const Book& book, const Evidence& e) {
  if (e.messages.size() != 2 + 2 * book.t) return flawed("it needs t shares");
  const auto* m1 = std::get_if<wire::Advertise>(&e.messages[0]);
  const auto* m3 = m1 != nullptr ? std::get_if<wire::Shares>(&e.messages[1]) : nullptr;
  if (m3 == nullptr || m3->id != m1->id || !is_signed(book, *m1) || !is_signed(book, *m3) ||
      !m3->entries[0].escrow)
    return flawed("it needs a dealer's M1 and an entry of it with an escrow");
  SOTTO_ASSIGN_OR_RETURN(const auto r, opened(book, m1->id, std::span(e.messages).subspan(2)));
  if (r.kind != wire::ShareKind::kMaskKey || !is_committed(book, *m1, r))
    return flawed("the shares do not give the dealer's mask key");
  const wire::ShareEntry& entry = m3->entries[0];
  if (open_escrow(*entry.escrow, {.h = book.h, .dealer = m1->id, .holder = entry.to}, r.secret))
    return flawed("the escrow opens");
  return Finding{m1->id, "Shares: what it put in escrow for member " +
                             std::to_string(raw(entry.to)) +
                             " is not the pre-shared value that it committed to"};
}

/// Returns the cohort with the roster's keys, in the order of its indexes.
Result<Cohort> cohort_of(const Evidence& e, const EvidenceRoster& roster) {
  std::vector<MemberId> sorted = e.cohort;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end())
    return flawed("its cohort names a member twice");
  if (e.header.graph == wire::Graph::kComplete && sorted != e.cohort)
    return flawed("its cohort is not in order");
  std::vector<CohortMember> members;
  for (MemberId id : e.cohort) {
    const auto at = std::ranges::lower_bound(roster.members, id, {}, &CohortMember::id);
    if (at == roster.members.end() || at->id != id) return flawed("its cohort has a stranger");
    members.push_back(*at);
  }
  Cohort cohort = Cohort::on_ring(std::move(members));
  if (cohort.hash() != e.header.cohort_hash) return flawed("its cohort is not that of the header");
  return cohort;
}

}  // namespace

Result<Finding> check_evidence(const Evidence& e, const EvidenceRoster& roster) {
  if (e.header.roster_hash != roster.roster_hash) return flawed("it is about another roster");
  SOTTO_ASSIGN_OR_RETURN(auto cohort, cohort_of(e, roster));
  const Book book{.h = header_hash(e.header),
                  .t = e.header.t,
                  .coordinator = roster.coordinator,
                  .cohort = std::move(cohort)};
  switch (e.kind) {
    case EvidenceKind::kTwoMessages:
      return two_messages(book, e);
    case EvidenceKind::kTwoEndorsements:
      return two_endorsements(book, e);
    case EvidenceKind::kEndorsedAndAborted:
      return endorsed_and_aborted(book, e);
    case EvidenceKind::kWrongShare:
      return wrong_share(book, e);
    case EvidenceKind::kInconsistentDealer:
      return inconsistent_dealer(book, e);
    case EvidenceKind::kClosedEscrow:
      return closed_escrow(book, e);
    case EvidenceKind::kWrongOpening:
      return wrong_opening(book, e);
  }
  return flawed("its kind is unknown");
}

// ---- Encoding

Bytes encode_evidence(const Evidence& e) {
  ByteWriter out;
  out.bytes(view_of(kMagic));
  out.u8(static_cast<std::uint8_t>(e.kind));
  const Bytes header = wire::header_bytes(e.header);
  out.u32(static_cast<std::uint32_t>(header.size()));
  out.bytes(header);
  out.u32(static_cast<std::uint32_t>(e.cohort.size()));
  for (MemberId id : e.cohort)
    out.u32(raw(id));
  out.u32(static_cast<std::uint32_t>(e.messages.size()));
  for (const wire::Message& message : e.messages) {
    const Bytes frame = wire::encode(kCoordinatorId, e.header.round, message);
    out.u32(static_cast<std::uint32_t>(frame.size()));
    out.bytes(frame);
  }
  return out.take();
}

Result<Evidence> parse_evidence(BytesView bytes) {
  const Error damaged{"not a whole piece of evidence"};
  ByteReader in(bytes);
  if (!std::ranges::equal(in.bytes(kMagic.size()), view_of(kMagic))) return damaged;
  Evidence e;
  e.kind = static_cast<EvidenceKind>(in.u8());
  SOTTO_ASSIGN_OR_RETURN(auto header, wire::parse_header(in.bytes(in.u32())));
  e.header = std::move(header);
  const std::uint32_t members = in.u32();
  if (std::uint64_t{members} * 4 > in.remaining()) return damaged;
  for (std::uint32_t i = 0; i < members; ++i)
    e.cohort.push_back(MemberId{in.u32()});
  const std::uint32_t count = in.u32();
  if (count > kMaxMessages) return damaged;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    SOTTO_ASSIGN_OR_RETURN(auto decoded, wire::decode(in.bytes(in.u32())));
    e.messages.push_back(std::move(decoded.message));
  }
  if (!in.finished() || !std::ranges::equal(encode_evidence(e), bytes)) return damaged;
  return e;
}

// ---- Evidence from received messages

namespace {

/// Returns the message without the fields that its signature does not cover: in M2, M4 and M4U they
/// contain messages of other members.
wire::Message bare(wire::Message message) {
  if (auto* m2 = std::get_if<wire::KeyList>(&message)) m2->advertisements.clear();
  if (auto* m4 = std::get_if<wire::ShareForward>(&message)) m4->entries.clear();
  if (auto* m4u = std::get_if<wire::Fix>(&message)) m4u->opened.clear();
  return message;
}

wire::Message endorsement(const wire::UnmaskRequest& m8, const wire::Endorse& m7) {
  return wire::UnmaskRequest{.certificate = {m7}, .d_u2 = m8.d_u2, .d_s = m8.d_s};
}

}  // namespace

std::vector<Evidence> contradictions(const wire::RoundHeader& header, const Cohort& cohort,
                                     const EvidenceRoster& roster, const wire::Message& first,
                                     const wire::Message& second) {
  std::vector<Evidence> found;
  const auto consider = [&](EvidenceKind kind, std::vector<wire::Message> messages) {
    Evidence e{
        .kind = kind, .header = header, .cohort = cohort.ids(), .messages = std::move(messages)};
    if (check_evidence(e, roster).ok()) found.push_back(std::move(e));
  };
  const auto* m3 = std::get_if<wire::Shares>(&first);
  const auto* other_m3 = std::get_if<wire::Shares>(&second);
  const auto* m8 = std::get_if<wire::UnmaskRequest>(&first);
  const auto* other_m8 = std::get_if<wire::UnmaskRequest>(&second);
  if (m3 != nullptr && other_m3 != nullptr) {
    for (std::size_t i = 0; i < std::min(m3->entries.size(), other_m3->entries.size()); ++i)
      if (found.empty())
        consider(EvidenceKind::kTwoMessages, {wire::Shares{m3->id, {m3->entries[i]}},
                                              wire::Shares{other_m3->id, {other_m3->entries[i]}}});
  } else if (m8 != nullptr && other_m8 != nullptr) {
    for (const wire::Endorse& m7 : m8->certificate)
      for (const wire::Endorse& other : other_m8->certificate)
        if (m7.id == other.id)
          consider(EvidenceKind::kTwoEndorsements,
                   {endorsement(*m8, m7), endorsement(*other_m8, other)});
  } else if (m8 != nullptr && std::holds_alternative<wire::AbortVote>(second)) {
    for (const wire::Endorse& m7 : m8->certificate)
      consider(EvidenceKind::kEndorsedAndAborted, {endorsement(*m8, m7), second});
  } else if (m3 != nullptr && std::holds_alternative<wire::Opening>(second)) {
    for (const wire::ShareEntry& entry : m3->entries)
      if (found.empty())
        consider(EvidenceKind::kWrongOpening, {wire::Shares{m3->id, {entry}}, second});
  } else if (m3 != nullptr && std::holds_alternative<wire::UnmaskResponse>(second)) {
    for (const wire::ShareEntry& entry : m3->entries)
      if (entry.to == std::get<wire::UnmaskResponse>(second).id)
        consider(EvidenceKind::kWrongShare, {wire::Shares{m3->id, {entry}}, second});
  } else {
    consider(EvidenceKind::kTwoMessages, {bare(first), bare(second)});
  }
  return found;
}

}  // namespace sotto::secagg

// The evidence that a rejected message gives against its sender (docs/secure-aggregation.md,
// "Evidence").
#include "common/crypto/shamir.h"
#include "common/secagg/server/server_state.h"
#include "common/secagg/shared/preshared.h"

namespace sotto::secagg {

EvidenceRoster Server::State::evidence_roster() const {
  EvidenceRoster roster{.roster_hash = header.roster_hash,
                        .coordinator = signing->verify_key(),
                        .members = cohort.members()};
  std::ranges::sort(roster.members, {}, &CohortMember::id);
  return roster;
}

/// Returns one member's endorsement in the form of a certificate.
wire::UnmaskRequest Server::State::as_certificate(const wire::Endorse& m7) const {
  return {.certificate = {m7}, .d_u2 = d_u2, .d_s = d_s};
}

std::vector<Evidence> Server::evidence_against(MemberId member,
                                               const wire::Message& rejected) const {
  const State& state = *state_;
  const auto from = state.cohort.index_of(member);
  if (!from) return {};
  const Sent& sent = state.sent[*from];
  std::vector<Evidence> found;
  const auto against = [&](const wire::Message& first) {
    auto more =
        contradictions(state.header, state.cohort, state.evidence_roster(), first, rejected);
    std::ranges::move(more, std::back_inserter(found));
  };
  if (std::holds_alternative<wire::Advertise>(rejected) && sent.m1) against(*sent.m1);
  if (std::holds_alternative<wire::Shares>(rejected) && sent.m3) against(*sent.m3);
  if (std::holds_alternative<wire::ShareCheck>(rejected) && sent.m4a) against(*sent.m4a);
  if (const auto* m4c = std::get_if<wire::Opening>(&rejected); m4c != nullptr && sent.m4c) {
    if (*m4c == *sent.m4c)
      against(*sent.m3);
    else
      against(*sent.m4c);
  }
  if (std::holds_alternative<wire::UploadHeader>(rejected) && sent.m5) against(*sent.m5);
  if (std::holds_alternative<wire::AbortVote>(rejected) && sent.m7)
    against(state.as_certificate(*sent.m7));
  if (const auto* m9 = std::get_if<wire::UnmaskResponse>(&rejected); m9 != nullptr && sent.m9) {
    against(*sent.m9);
    // An accepted answer is well formed, even where its shares do not fit.
    const auto wrong = std::ranges::find_if(
        sent.m9->shares, [&](const auto& share) { return !state.fits(share, *from); });
    if (*m9 == *sent.m9 && wrong != m9->shares.end())
      against(*state.sent[*state.cohort.index_of(wrong->dealer)].m3);
  }
  return found;
}

std::vector<Evidence> Server::evidence_against_voter(const wire::AbortVote& vote,
                                                     const wire::Endorse& m7) const {
  const State& state = *state_;
  if (!state.s) return {};
  return contradictions(state.header, state.cohort, state.evidence_roster(),
                        state.as_certificate(m7), vote);
}

/// Returns evidence of `first`, followed by the dealer's entry and the revealed share of each of
/// the first t holders of a dealer's secret.
Evidence Server::State::evidence_of_shares(EvidenceKind kind, std::uint32_t dealer,
                                           std::vector<wire::Message> first) const {
  Evidence e{.kind = kind, .header = header, .cohort = cohort.ids(), .messages = std::move(first)};
  for (const HeldShare& held : std::span(shares[dealer]).first(header.t)) {
    e.messages.emplace_back(wire::Shares{cohort.at(dealer).id, {entry(dealer, held.holder)}});
    e.messages.emplace_back(*sent[held.holder].m9);
  }
  return e;
}

/// Returns a survivor for which a dropped-out dealer put another value in escrow than it committed
/// to. The shares of the dealer's secret give r. Returns nothing when every escrow opens.
std::optional<std::uint32_t> Server::State::closed_escrow(std::uint32_t dealer) const {
  const auto reconstructor = crypto::Reconstructor::create(first_points(dealer));
  SOTTO_CHECK(reconstructor.ok(), "holders are distinct");
  const crypto::Secret32 r = reconstructor->reconstruct(first_shares(dealer));
  for (std::uint32_t survivor : intersection(graph.neighbours(dealer), *s)) {
    const auto& escrow = entry(dealer, survivor).escrow;
    const EscrowPlace place{
        .h = h, .dealer = cohort.at(dealer).id, .holder = cohort.at(survivor).id};
    if (escrow && !open_escrow(*escrow, place, r)) return survivor;
  }
  return std::nullopt;
}

std::vector<Evidence> Server::evidence_against_dealers() const {
  const State& state = *state_;
  std::vector<Evidence> found;
  const auto keep = [&](Evidence e) {
    const bool proves_violation = check_evidence(e, state.evidence_roster()).ok();
    if (proves_violation) found.push_back(std::move(e));
    return proves_violation;
  };
  for (std::uint32_t dealer : u2()) {
    if (state.shares[dealer].size() < state.header.t) continue;
    const wire::Advertise& m1 = *state.sent[dealer].m1;
    if (keep(state.evidence_of_shares(EvidenceKind::kInconsistentDealer, dealer, {m1})) ||
        contains(s(), dealer))
      continue;
    if (const auto survivor = state.closed_escrow(dealer))
      keep(state.evidence_of_shares(EvidenceKind::kClosedEscrow, dealer,
                                    {m1, wire::Shares{m1.id, {state.entry(dealer, *survivor)}}}));
  }
  return found;
}

}  // namespace sotto::secagg

// What a rejected message proves against its sender (docs/secure-aggregation.md, "Evidence").
#include "common/crypto/shamir.h"
#include "common/secagg/server_state.h"

namespace sotto::secagg {

EvidenceRoster Server::State::evidence_roster() const {
  EvidenceRoster roster{.roster_hash = header.roster_hash,
                        .coordinator = signing->verify_key(),
                        .members = cohort.members()};
  std::ranges::sort(roster.members, {}, &CohortMember::id);
  return roster;
}

/// The certificate's form of one member's endorsement.
wire::UnmaskRequest Server::State::endorsement_of(std::uint32_t from) const {
  return {.certificate = {*sent[from].m7}, .d_u2 = d_u2, .d_s = d_s, .headers = {}};
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
  if (std::holds_alternative<wire::UploadHeader>(rejected) && sent.m5) against(*sent.m5);
  if (std::holds_alternative<wire::BurnVote>(rejected) && sent.m7)
    against(state.endorsement_of(*from));
  if (const auto* m9 = std::get_if<wire::UnmaskResponse>(&rejected); m9 != nullptr && sent.m9) {
    against(*sent.m9);
    // An answer that was taken is well formed, whatever its shares are.
    const auto wrong = std::ranges::find_if(
        sent.m9->shares, [&](const auto& share) { return !state.fits(share, *from); });
    if (*m9 == *sent.m9 && wrong != m9->shares.end())
      against(*state.sent[*state.cohort.index_of(wrong->dealer)].m3);
  }
  return found;
}

std::vector<Evidence> Server::evidence_against_dealers() const {
  const State& state = *state_;
  std::vector<Evidence> found;
  for (std::uint32_t dealer : u2()) {
    const auto& held = state.shares[dealer];
    if (held.size() < state.header.t) continue;
    Evidence e{.kind = EvidenceKind::kInconsistentDealer,
               .header = state.header,
               .cohort = state.cohort.ids(),
               .messages = {*state.sent[dealer].m1}};
    for (std::uint32_t i = 0; i < state.header.t; ++i) {
      const std::uint32_t holder = held[i].holder;
      e.messages.emplace_back(
          wire::Shares{state.cohort.at(dealer).id, {state.entry(dealer, holder)}});
      e.messages.emplace_back(*state.sent[holder].m9);
    }
    if (check_evidence(e, state.evidence_roster()).ok()) found.push_back(std::move(e));
  }
  return found;
}

}  // namespace sotto::secagg

#include "tests/federation/checker.h"

#include <algorithm>

#include "common/secagg/server/server.h"
#include "common/secagg/shared/transcript.h"

namespace sotto::simulation {

template <class M>
void Checker::once(std::optional<M>& before, const M& message, MemberId from) {
  if (before && *before != message)
    fail("member " + std::to_string(raw(from)) + " sent a second, different " +
         std::string(wire::name_of(wire::Message(message))));
  if (!before) before = message;
}

void Checker::member_sent(MemberId from, RoundNumber round, const wire::Message& message) {
  Said& said = said_[{round, from}];
  if (const auto* m1 = std::get_if<wire::Advertise>(&message)) once(said.m1, *m1, from);
  if (const auto* m4c = std::get_if<wire::Opening>(&message)) {
    once(said.m4c, *m4c, from);
    opened(round, *m4c);
  }
  if (const auto* m5 = std::get_if<wire::UploadHeader>(&message)) {
    once(said.m5, *m5, from);
    uploaded_input(from, round);
  }
  if (const auto* m7 = std::get_if<wire::Endorse>(&message)) {
    once(said.m7, *m7, from);
    if (!said.m5) fail("an endorsement without an upload");
  }
  if (const auto* vote = std::get_if<wire::AbortVote>(&message)) once(said.vote, *vote, from);
  if (said.m7 && said.vote) fail("a member endorsed survivors and voted to burn the round");
  const auto* m9 = std::get_if<wire::UnmaskResponse>(&message);
  if (!m9) return;
  once(said.m9, *m9, from);
  if (!said.m7) fail("shares revealed without an endorsement");
  for (const auto& share : m9->shares) {
    const auto [at, fresh] = said.kinds.emplace(share.dealer, share.kind);
    if (!fresh && at->second != share.kind)
      fail("member " + std::to_string(raw(from)) + " revealed both kinds of share of member " +
           std::to_string(raw(share.dealer)));
    knows(round, share.dealer, share.kind, from);
  }
}

void Checker::opened(RoundNumber round, const wire::Opening& m4c) {
  const auto& header = announced_[round].header;
  if (header && m4c.shares.size() > header->C)
    fail("member " + std::to_string(raw(m4c.id)) + " opened more than C shares");
  for (const wire::OpenedShare& share : m4c.shares)
    for (const auto kind : {wire::ShareKind::kSelfMask, wire::ShareKind::kMaskKey})
      knows(round, m4c.id, kind, share.member);
}

void Checker::knows(RoundNumber round, MemberId dealer, wire::ShareKind kind, MemberId holder) {
  Known& known = known_[round];
  known[{dealer, kind}].insert(holder);
  const auto& header = announced_[round].header;
  if (header && known[{dealer, wire::ShareKind::kSelfMask}].size() >= header->t &&
      known[{dealer, wire::ShareKind::kMaskKey}].size() >= header->t)
    fail("t shares of both secrets of member " + std::to_string(raw(dealer)));
}

void Checker::coordinator_sent(RoundNumber round, const wire::Message& message) {
  Announced& said = announced_[round];
  if (const auto* m0 = std::get_if<wire::Offer>(&message)) said.header = m0->header;
  said.voting_to_abort |= std::holds_alternative<wire::AbortRequest>(message);
  said.survivor_certificate |= std::holds_alternative<wire::UnmaskRequest>(message);
  said.abort_certificate |= std::holds_alternative<wire::AbortCertificate>(message);
  if (const auto* m8 = std::get_if<wire::UnmaskRequest>(&message))
    for (const wire::UploadHeader& m5 : m8->headers)
      said.survivors.insert(m5.id);
  if (const auto* m10 = std::get_if<wire::RoundResult>(&message)) result(round, *m10);
  if (lies_) return;
  if (said.survivor_certificate && said.abort_certificate)
    fail("a survivor certificate and a burn certificate for one round");
  if (const auto* m6 = std::get_if<wire::Survivors>(&message)) {
    if (said.voting_to_abort && !said.m6) fail("survivors announced after the burn had begun");
    once(said.m6, *m6, kCoordinatorId);
  }
}

// ---- inputs and sums

void Checker::encoded(MemberId member, RoundNumber round, const Bytes32& input,
                      const encoding::RingUpdate& lanes) {
  if (said_[{round, member}].m5) return;
  encoded_.insert_or_assign({round, member}, Encoded{input, lanes.clone()});
}

/// An input leaves a second time only where the round of the first has an abort certificate.
void Checker::uploaded_input(MemberId from, RoundNumber round) {
  const auto now = encoded_.find({round, from});
  if (now == encoded_.end()) return;  // an evaluation of a harness without encodings
  for (const auto& [key, before] : encoded_)
    if (key.second == from && key.first != round && before.input == now->second.input &&
        said_[key].m5 && !announced_[key.first].abort_certificate)
      fail("member " + std::to_string(raw(from)) + " sent one input twice under different masks");
}

void Checker::result(RoundNumber round, const wire::RoundResult& m10) {
  Announced& said = announced_[round];
  const bool known = said.m10 == m10;
  if (lies_)
    said.m10 = m10;
  else
    once(said.m10, m10, kCoordinatorId);
  if (known || m10.status != wire::RoundStatus::kDone || !said.header) return;
  if (said.survivors.size() < std::max(said.header->Q, said.header->s_min))
    return fail("a sum over fewer than the least survivors was released");
  auto sum = encoding::RingUpdate::zeros(said.header->lanes);
  for (MemberId member : said.survivors) {
    const auto input = encoded_.find({round, member});
    if (input == encoded_.end()) return fail("a survivor that never encoded an input");
    for (std::size_t lane = 0; lane < sum.lanes.size(); ++lane)
      sum.lanes[lane].add(input->second.lanes.lanes[lane]);
  }
  for (encoding::RingVector& lane : sum.lanes)
    lane.reduce();
  ++sums_;
  if (secagg::hash_of_sum(secagg::header_hash(*said.header), sum) != m10.aggregate_hash)
    fail("the released sum is not the plain sum over exactly the survivors");
}

const Checker::Encoded* Checker::encoding(MemberId member, RoundNumber round) const {
  const auto at = encoded_.find({round, member});
  return at == encoded_.end() ? nullptr : &at->second;
}

std::size_t Checker::openings(RoundNumber round) const {
  std::size_t count = 0;
  for (const auto& [key, said] : said_)
    if (key.first == round && said.m4c) ++count;
  return count;
}

std::size_t Checker::shares_revealed(RoundNumber round) const {
  std::size_t count = 0;
  for (const auto& [key, said] : said_)
    if (key.first == round) count += said.kinds.size();
  return count;
}

bool Checker::advertised(MemberId member, RoundNumber round) const {
  const auto at = said_.find({round, member});
  return at != said_.end() && at->second.m1.has_value();
}

bool Checker::uploaded(MemberId member, RoundNumber round) const {
  const auto at = said_.find({round, member});
  return at != said_.end() && at->second.m5.has_value();
}

bool Checker::endorsed(MemberId member, RoundNumber round) const {
  const auto at = said_.find({round, member});
  return at != said_.end() && at->second.m7.has_value();
}

bool Checker::voted(MemberId member, RoundNumber round) const {
  const auto at = said_.find({round, member});
  return at != said_.end() && at->second.vote.has_value();
}

}  // namespace sotto::simulation

// Evidence convicts who it names, offline and from the roster alone, and nobody when a bit of it is
// changed (docs/secure-aggregation.md, "Evidence").
#include "common/secagg/evidence/evidence.h"

#include <gtest/gtest.h>

#include "common/secagg/server/server.h"
#include "common/secagg/shared/preshared.h"
#include "tests/coordinator/protocol/scripted_members.h"

namespace sotto::secagg {
namespace {

using testing::ScriptedMembers;

struct EvidenceTest : ::testing::Test {
  ScriptedMembers members{5, 1};  // t = 3
  const IndexSet all = members.all();

  [[nodiscard]] EvidenceRoster roster() const {
    return {.roster_hash = members.header.roster_hash,
            .coordinator = members.coordinator.verify_key(),
            .members = members.roster};
  }

  [[nodiscard]] MemberId id(std::uint32_t i) const { return members.members[i].id; }

  [[nodiscard]] std::vector<Evidence> of(const wire::Message& first,
                                         const wire::Message& second) const {
    return contradictions(members.header, members.cohort(), roster(), first, second);
  }

  /// It convicts, still does after a journey through its bytes, and convicts nobody else when any
  /// byte is changed.
  void proves_violation(const std::vector<Evidence>& found, MemberId offender,
                        const std::string& rule) const {
    ASSERT_FALSE(found.empty());
    const Bytes bytes = encode_evidence(found.front());
    const auto parsed = parse_evidence(bytes);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(*parsed, found.front());
    const auto finding = check_evidence(*parsed, roster());
    ASSERT_TRUE(finding.ok()) << finding.error().message;
    EXPECT_EQ(finding->offender, offender);
    EXPECT_NE(finding->rule.find(rule), std::string::npos) << finding->rule;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      Bytes changed = bytes;
      changed[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
      const auto read = parse_evidence(changed);
      ASSERT_FALSE(read.ok() && check_evidence(*read, roster()).ok()) << "byte " << at;
    }
    EXPECT_FALSE(parse_evidence(BytesView(bytes).first(bytes.size() - 1)).ok());
    EvidenceRoster other = roster();
    other.roster_hash[0] ^= 1;
    EXPECT_FALSE(check_evidence(*parsed, other).ok());
  }

  /// The whole protocol up to the answers, with what member 1 deals, and what member 2 answers.
  void until_answers(Server& server) const {
    for (std::uint32_t i : all)
      server.accept(members.members[i].m1);
    ASSERT_TRUE(server.fix_u1().ok());
    for (std::uint32_t i : all)
      server.accept(members.shares(i, all));
    ASSERT_TRUE(server.fix_v().ok());
    for (std::uint32_t i : all)
      server.accept(members.check(i, all));
    ASSERT_TRUE(server.fix_u2().ok());
    for (std::uint32_t i : all) {
      server.accept(members.upload_header(i, all, members.masked_input(i, all)));
      server.upload_complete(id(i));
    }
    ASSERT_TRUE(server.fix_s().ok());
    for (std::uint32_t i : all)
      server.accept(id(i), members.endorse(i, all, all));
  }

  [[nodiscard]] Server make_server() const {
    return Server(members.header, members.cohort(), members.coordinator);
  }
};

// ---- members

TEST_F(EvidenceTest, EquivocatingM1) {
  wire::Advertise second = members.members[2].m1;
  second.cm_b[4] ^= 1;
  sign_advertise(members.members[2].signing, members.h, second);
  Server server = make_server();
  server.accept(members.members[2].m1);
  EXPECT_EQ(server.accept(second).kind, MessageResult::Kind::kRejected);
  proves_violation(server.evidence_against(id(2), second), id(2), "Advertise");
}

TEST_F(EvidenceTest, EveryMessageThatAMemberSaysOnceIsEvidenceAgainstWhenItIsSaidTwice) {
  auto m3 = members.shares(1, all);
  m3.entries[3].cb[0] ^= 1;
  sign_share_entry(members.members[1].signing, members.h, m3.id, m3.entries[3]);
  proves_violation(of(members.shares(1, all), m3), id(1), "Shares");
  proves_violation(of(members.check(1, all), members.check(1, all, {3})), id(1), "ShareCheck");
  const wire::Complaints m4b{.checks = {members.check(2, all, {1}), members.check(3, all, {1})}};
  proves_violation(of(members.opening(1, m4b), members.opening(1, {.checks = {m4b.checks[0]}})),
                   id(1), "Opening");
  const Bytes y = members.masked_input(1, all);
  Bytes other_y = y;
  other_y[0] ^= 1;
  proves_violation(of(members.upload_header(1, all, y), members.upload_header(1, all, other_y)),
                   id(1), "UploadHeader");
  proves_violation(of(members.unmask(1, all, all), members.unmask(1, all, {0, 1, 2, 3})), id(1),
                   "UnmaskResponse");
}

TEST_F(EvidenceTest, OpeningAnotherShareThanTheOneCommittedToIsEvidenceAgainstTheDealer) {
  const wire::Complaints m4b{.checks = {members.check(2, all, {1}), members.check(3, all, {1})}};
  const wire::Opening honest = members.opening(1, m4b);
  EXPECT_TRUE(of(members.shares(1, all), honest).empty()) << "an honest opening proves nothing";
  for (const bool of_b : {true, false}) {
    wire::Opening wrong = honest;
    (of_b ? wrong.shares[1].b : wrong.shares[1].r)[3] ^= 1;
    sign_opening(members.members[1].signing, members.h, wrong);
    proves_violation(of(members.shares(1, all), wrong), id(1), "Opening");
  }
}

wire::UnmaskRequest request(const ScriptedMembers& members, const IndexSet& signers,
                            const IndexSet& s) {
  wire::UnmaskRequest m8;
  m8.d_u2 = members.d_u2(members.all());
  m8.d_s = members.d_s(members.all(), s);
  for (std::uint32_t i : signers)
    m8.certificate.push_back(members.endorse(i, members.all(), s));
  return m8;
}

TEST_F(EvidenceTest, EndorsementsOfTwoSAreEvidenceAgainstWhoIsInBothCertificates) {
  const auto found =
      of(request(members, {0, 1, 2, 3}, all), request(members, {3, 4}, {0, 1, 2, 3}));
  EXPECT_EQ(found.size(), 1U);
  proves_violation(found, id(3), "two sets of survivors");
}

TEST_F(EvidenceTest, AnEndorsementAndAnAbortVoteAreEvidence) {
  proves_violation(of(request(members, {0, 1, 2, 3}, all), members.abort_vote(2)), id(2),
                   "BurnVote");
  EXPECT_TRUE(of(request(members, {0, 1, 2, 3}, all), members.abort_vote(4)).empty());
}

TEST_F(EvidenceTest, ShareBitflip) {
  Server server = make_server();
  until_answers(server);
  for (std::uint32_t i : all) {
    auto m9 = members.unmask(i, all, all);
    if (i == 2) {
      m9.shares[4].share[0] ^= 1;
      sign_unmask_response(members.members[i].signing, members.h, m9);
    }
    const MessageResult result = server.accept(m9);
    EXPECT_EQ(result.kind,
              i == 2 ? MessageResult::Kind::kRejected : MessageResult::Kind::kAccepted);
    if (i == 2)
      proves_violation(server.evidence_against(id(2), m9), id(2), "not the share that member");
  }
  EXPECT_TRUE(server.open().ok()) << "t good shares are enough";
  EXPECT_TRUE(server.evidence_against_dealers().empty());
}

TEST_F(EvidenceTest, DealerInconsistentPolynomial) {
  members.members[1].b_shares[0] = crypto::random_scalar(members.random);  // of another polynomial
  Server server = make_server();
  until_answers(server);
  for (std::uint32_t i : all)
    EXPECT_EQ(server.accept(members.unmask(i, all, all)).kind, MessageResult::Kind::kAccepted);
  EXPECT_FALSE(server.open().ok());
  const auto found = server.evidence_against_dealers();
  EXPECT_EQ(found.size(), 1U);
  proves_violation(found, id(1), "do not give");
}

TEST_F(EvidenceTest, DealerWhoseMaskKeyIsAnother) {
  members.members[1].r_shares[0] = crypto::random_scalar(members.random);
  Evidence e{.kind = EvidenceKind::kInconsistentDealer,
             .header = members.header,
             .cohort = {},
             .messages = {members.members[1].m1}};
  const IndexSet s{0, 2, 3, 4};
  for (std::uint32_t i : all)
    e.cohort.push_back(id(i));
  for (std::uint32_t holder : {0U, 2U, 3U}) {
    e.messages.emplace_back(wire::Shares{id(1), {members.shares(1, all).entries[holder]}});
    e.messages.emplace_back(members.unmask(holder, all, s));
  }
  proves_violation({e}, id(1), "do not give");
}

// ---- what is in escrow, checked when a dealer is gone (2.5)

struct EscrowEvidence : EvidenceTest {
  /// The dealer's entry for member 4, with an escrow.
  wire::Shares entry_with_escrow(bool opens) {
    wire::ShareEntry entry = members.shares(1, all).entries[4];
    const EscrowPlace place{.h = members.h, .dealer = id(1), .holder = id(4)};
    const auto masking = crypto::Secret32::random(members.random);
    entry.escrow = make_escrow(place, masking, members.members[1].r);
    if (!opens) entry.escrow->sealed[0] ^= 1;
    sign_share_entry(members.members[1].signing, members.h, id(1), entry);
    return {id(1), {entry}};
  }

  /// Its M1, the entry, and what three holders answered about dealer 1 when `s` survived.
  [[nodiscard]] Evidence evidence(const wire::Shares& entry, const IndexSet& s) const {
    Evidence e{.kind = EvidenceKind::kClosedEscrow,
               .header = members.header,
               .cohort = {},
               .messages = {members.members[1].m1, entry}};
    for (std::uint32_t i : all)
      e.cohort.push_back(id(i));
    for (std::uint32_t holder : {0U, 2U, 3U}) {
      e.messages.emplace_back(wire::Shares{id(1), {members.shares(1, all).entries[holder]}});
      e.messages.emplace_back(members.unmask(holder, all, s));
    }
    return e;
  }

  void proves_nothing(const Evidence& e, const std::string& why) const {
    const auto finding = check_evidence(e, roster());
    ASSERT_FALSE(finding.ok()) << finding->rule;
    EXPECT_NE(finding.error().message.find(why), std::string::npos) << finding.error().message;
  }

  const IndexSet others{0, 2, 3, 4};
};

TEST_F(EscrowEvidence, DealerWhoseEscrowDoesNotOpen) {
  proves_violation({evidence(entry_with_escrow(false), others)}, id(1), "in escrow for member");
}

TEST_F(EscrowEvidence, AnHonestDealerIsNotOffending) {
  proves_nothing(evidence(entry_with_escrow(true), others), "the escrow opens");
  proves_nothing(evidence({id(1), {members.shares(1, all).entries[4]}}, others),
                 "an entry of it with an escrow");
  // An escrow opens under r alone: shares of b say nothing about it.
  proves_nothing(evidence(entry_with_escrow(true), all), "do not give the dealer's mask key");
  // Under what the shares of another polynomial give, nobody's escrow opens.
  Evidence e = evidence(entry_with_escrow(true), others);
  members.members[1].r_shares[0] = crypto::random_scalar(members.random);
  e.messages[2] = wire::Shares{id(1), {members.shares(1, all).entries[0]}};
  e.messages[3] = members.unmask(0, all, others);
  proves_nothing(e, "do not give the dealer's mask key");
}

TEST_F(EscrowEvidence, AChangedOneProvesNothing) {
  const Evidence good = evidence(entry_with_escrow(false), others);
  Evidence e = good;
  std::get<wire::Shares>(e.messages[1]).entries[0].escrow->sealed[1] ^= 1;  // not signed anew
  proves_nothing(e, "an entry of it with an escrow");
  e = good;
  std::get<wire::Shares>(e.messages[1]).id = id(2);
  proves_nothing(e, "an entry of it with an escrow");
  e = good;
  std::get<wire::UnmaskResponse>(e.messages[3]).shares[1].share[0] ^= 1;
  proves_nothing(e, "not one that the dealer committed to");
  e = good;
  e.messages.resize(6);
  proves_nothing(e, "it needs t shares");
  e = good;
  e.messages[4] = e.messages[2];
  e.messages[5] = e.messages[3];
  proves_nothing(e, "for the same point");
}

// ---- the coordinator

TEST_F(EvidenceTest, TwoAnnouncementsOfOneSetAreEvidenceAgainstTheCoordinator) {
  const auto both = [&]<class M>(M one, M two, const auto& sign, const std::string& name) {
    sign(members.coordinator, members.h, one);
    sign(members.coordinator, members.h, two);
    proves_violation(of(one, two), kCoordinatorId, name);
    EXPECT_TRUE(of(one, one).empty());
  };
  const auto a = members.bits(all), b = members.bits({0, 1, 2, 3});
  both(wire::KeyList{a, {}, {members.members[0].m1}}, wire::KeyList{b, {}, {}}, sign_key_list,
       "KeyList");
  both(wire::ShareForward{a, {}, {}}, wire::ShareForward{b, {}, {}}, sign_share_forward,
       "ShareForward");
  both(wire::Fix{a, {}}, wire::Fix{b, {}}, sign_fix, "Fix");
  both(wire::Survivors{members.d_u2(all), a, {}}, wire::Survivors{members.d_u2(all), b, {}},
       sign_survivors, "Survivors");
}

TEST_F(EvidenceTest,
       TwoOffersOfOneRoundAreEvidenceAgainstTheCoordinatorUnlessOnlyTheDeadlinesDiffer) {
  const auto offer = [&](std::uint8_t model, std::uint64_t deadline) {
    wire::Offer m0{.header = members.header,
                   .deadline_ms = {deadline, 1, 1, 1, 1, 1},
                   .cohort = members.bits(all),
                   .signature = {}};
    m0.header.model_hash[0] ^= model;
    sign_offer(members.coordinator, m0);
    return m0;
  };
  proves_violation(of(offer(0, 1), offer(1, 1)), kCoordinatorId, "Offer");
  EXPECT_TRUE(of(offer(0, 1), offer(0, 2)).empty());
}

// ---- what proves nothing

TEST_F(EvidenceTest, HonestOrForgedMessagesProveNothing) {
  wire::Advertise forged = members.members[2].m1;
  forged.cm_b[4] ^= 1;  // not signed anew
  EXPECT_TRUE(of(members.members[2].m1, forged).empty());
  EXPECT_TRUE(of(members.members[2].m1, members.members[3].m1).empty());
  EXPECT_TRUE(of(members.shares(1, all), members.unmask(2, all, all)).empty());
  EXPECT_TRUE(of(members.abort_vote(1), members.abort_vote(1)).empty());
  const auto entries = members.shares(1, all).entries;
  EXPECT_TRUE(of(wire::Shares{id(1), {entries[0]}}, wire::Shares{id(1), {entries[3]}}).empty())
      << "a dealer has an entry for each holder";
  Evidence e{.kind = EvidenceKind::kInconsistentDealer,
             .header = members.header,
             .cohort = {},
             .messages = {members.members[1].m1}};
  for (std::uint32_t i : all)
    e.cohort.push_back(id(i));
  for (std::uint32_t holder : {0U, 2U, 3U}) {
    e.messages.emplace_back(wire::Shares{id(1), {members.shares(1, all).entries[holder]}});
    e.messages.emplace_back(members.unmask(holder, all, all));
  }
  const auto finding = check_evidence(e, roster());
  ASSERT_FALSE(finding.ok());
  EXPECT_NE(finding.error().message.find("give what the dealer committed to"), std::string::npos);
}

}  // namespace
}  // namespace sotto::secagg

// Claims of the coordinator's half of SECAGG1 (docs/secure-aggregation.md, sections 2.2 to 2.7).
#include "common/secagg/server/server.h"

#include <gtest/gtest.h>

#include "tests/coordinator/protocol/scripted_members.h"

namespace sotto::secagg {
namespace {

using testing::ScriptedMembers;
using Kind = MessageResult::Kind;

IndexSet without(IndexSet set, const IndexSet& gone) {
  std::erase_if(set, [&](std::uint32_t i) { return contains(gone, i); });
  return set;
}

/// A server and its members, taken through the phases by sets of those who take part.
struct Round {
  explicit Round(std::uint32_t n, std::uint32_t C)
      : members(n, C), server(members.header, members.cohort(), members.coordinator) {}

  Status advertise(const IndexSet& who) {
    for (std::uint32_t i : who)
      EXPECT_EQ(server.accept(members.members[i].m1).kind, Kind::kAccepted);
    return server.fix_u1();
  }

  Status deal(const IndexSet& who) {
    for (std::uint32_t i : who)
      EXPECT_EQ(server.accept(members.shares(i, server.u1())).kind, Kind::kAccepted);
    return server.fix_v();
  }

  Status check(const IndexSet& who) {
    for (std::uint32_t i : who)
      EXPECT_EQ(server.accept(members.check(i, server.v())).kind, Kind::kAccepted);
    return server.fix_u2();
  }

  Status upload(const IndexSet& who) {
    sum = encoding::RingUpdate::zeros(members.header.lanes);
    for (std::uint32_t i : who) {
      const Bytes packed = members.masked_input(i, server.u2());
      EXPECT_EQ(server.accept(members.upload_header(i, server.u2(), packed)).kind, Kind::kAccepted);
      EXPECT_TRUE(server.check_upload(members.members[i].id, packed).ok());
      EXPECT_TRUE(sum.add_packed(packed).ok());
      server.upload_complete(members.members[i].id);
    }
    return server.fix_s();
  }

  void endorse(const IndexSet& who) {
    for (std::uint32_t i : who)
      EXPECT_EQ(
          server.accept(members.members[i].id, members.endorse(i, server.u2(), server.s())).kind,
          Kind::kAccepted);
  }

  void unmask(const IndexSet& who) {
    for (std::uint32_t i : who)
      EXPECT_EQ(server.accept(members.unmask(i, server.u2(), server.s())).kind, Kind::kAccepted);
  }

  void until_u2(const IndexSet& who) {
    ASSERT_TRUE(advertise(who).ok());
    ASSERT_TRUE(deal(who).ok());
    ASSERT_TRUE(check(who).ok());
  }

  void until_endorsed(const IndexSet& who, const IndexSet& survivors) {
    until_u2(who);
    ASSERT_TRUE(upload(survivors).ok());
    endorse(survivors);
    ASSERT_TRUE(server.has_quorum());
  }

  [[nodiscard]] bool opens_exactly(const IndexSet& s) {
    auto job = server.open();
    if (!job.ok()) return false;
    return testing::same_words(std::move(job).value().run(std::move(sum), 1), members.plain_sum(s));
  }

  ScriptedMembers members;
  Server server;
  encoding::RingUpdate sum;
};

TEST(SecAggServer, EverybodyPresentOpensTheExactSum) {
  Round round(4, 1);
  const IndexSet all = round.members.all();
  round.until_endorsed(all, all);
  round.unmask(all);
  ASSERT_TRUE(round.server.can_open());
  EXPECT_TRUE(round.opens_exactly(all));
}

TEST(SecAggServer, MasksOfMembersDroppedAfterU2AreTakenOff) {
  for (const IndexSet& dropped : {IndexSet{0}, IndexSet{3}, IndexSet{6}, IndexSet{0, 6}}) {
    Round round(7, 2);
    const IndexSet s = without(round.members.all(), dropped);
    round.until_endorsed(round.members.all(), s);
    round.unmask(s);
    ASSERT_TRUE(round.server.can_open());
    EXPECT_TRUE(round.opens_exactly(s)) << "first dropped: " << dropped[0];
  }
}

TEST(SecAggServer, AnyTAnswersOpenTheSum) {
  Round round(5, 1);
  const IndexSet all = round.members.all();
  round.until_endorsed(all, all);
  round.unmask({4, 1});
  EXPECT_FALSE(round.server.can_open());
  round.unmask({2});
  ASSERT_EQ(round.members.header.t, 3U);
  ASSERT_TRUE(round.server.can_open());
  EXPECT_TRUE(round.opens_exactly(all));
}

TEST(SecAggServer, EverySetIsRefusedBelowTheBound) {
  const IndexSet three{0, 1, 2};  // n = 5, C = 1: Q = 4
  EXPECT_FALSE(Round(5, 1).advertise(three).ok());
  {
    Round round(5, 1);
    ASSERT_TRUE(round.advertise(round.members.all()).ok());
    EXPECT_FALSE(round.deal(three).ok());
  }
  {
    Round round(5, 1);
    ASSERT_TRUE(round.advertise(round.members.all()).ok());
    ASSERT_TRUE(round.deal(round.members.all()).ok());
    EXPECT_FALSE(round.check(three).ok());
  }
  Round round(5, 1);
  round.until_u2(round.members.all());
  EXPECT_FALSE(round.upload(three).ok());
}

// ---- Advertise

TEST(SecAggServer, AdvertisementWithABadSignatureIsRejected) {
  Round round(4, 1);
  wire::Advertise m1 = round.members.members[0].m1;
  m1.cm_b[0] ^= 1;
  EXPECT_EQ(round.server.accept(m1).kind, Kind::kRejected);
  EXPECT_TRUE(round.server.advertised().empty());
}

TEST(SecAggServer, KeysOfLowOrderOrSeenBeforeAreRejected) {
  Round round(4, 1);
  const auto& scripted = round.members;
  ASSERT_EQ(round.server.accept(scripted.members[0].m1).kind, Kind::kAccepted);
  const auto with = [&](auto change) {
    wire::Advertise m1 = scripted.members[1].m1;
    change(m1);
    sign_advertise(scripted.members[1].signing, scripted.h, m1);
    return round.server.accept(m1).kind;
  };
  EXPECT_EQ(with([](auto& m1) { m1.pk_enc = {}; }), Kind::kRejected);
  EXPECT_EQ(with([](auto& m1) { m1.pk_mask = {1}; }), Kind::kRejected);
  EXPECT_EQ(with([](auto& m1) { m1.pk_mask = m1.pk_enc; }), Kind::kRejected);
  EXPECT_EQ(with([&](auto& m1) { m1.pk_enc = scripted.members[0].m1.pk_mask; }), Kind::kRejected);
  EXPECT_EQ(with([](auto&) {}), Kind::kAccepted);
}

TEST(SecAggServer, RepetitionIsIgnoredAndAnotherMessageOfTheSameKindRejected) {
  Round round(4, 1);
  wire::Advertise m1 = round.members.members[0].m1;
  ASSERT_EQ(round.server.accept(m1).kind, Kind::kAccepted);
  EXPECT_EQ(round.server.accept(m1).kind, Kind::kIgnored);
  m1.cm_b[0] ^= 1;
  sign_advertise(round.members.members[0].signing, round.members.h, m1);
  EXPECT_EQ(round.server.accept(m1).kind, Kind::kRejected);
  EXPECT_EQ(round.server.advertised(), IndexSet{0});
}

TEST(SecAggServer, NonMembersAreRejectedAndLateMessagesIgnored) {
  Round round(5, 1);
  wire::Advertise unauthenticated = round.members.members[0].m1;
  unauthenticated.id = MemberId{999};
  EXPECT_EQ(round.server.accept(unauthenticated).kind, Kind::kRejected);
  ASSERT_TRUE(round.advertise({0, 1, 2, 3}).ok());
  EXPECT_EQ(round.server.accept(round.members.members[4].m1).kind, Kind::kIgnored);
  EXPECT_EQ(round.server.u1(), (IndexSet{0, 1, 2, 3}));
}

TEST(SecAggServer, KeyListHoldsEverybodyInU1ButTheRecipient) {
  Round round(5, 1);
  ASSERT_TRUE(round.advertise({0, 1, 3, 4}).ok());
  const auto m2 = round.server.key_list(round.members.members[1].id);
  ASSERT_EQ(m2.advertisements.size(), 3U);
  EXPECT_EQ(m2.advertisements[1], round.members.members[3].m1);
  EXPECT_TRUE(verify_key_list(round.members.coordinator.verify_key(), round.members.h, m2));
}

// ---- Share

TEST(SecAggServer, SharesCountOnlyWhenCompleteInOrderAndWellSigned) {
  Round round(4, 1);
  ASSERT_TRUE(round.advertise(round.members.all()).ok());
  const wire::Shares good = round.members.shares(0, round.server.u1());
  wire::Shares short_of_one = good;
  short_of_one.entries.pop_back();
  wire::Shares swapped = good;
  std::swap(swapped.entries[1], swapped.entries[2]);
  wire::Shares forged = good;
  forged.entries[2].cb[5] ^= 1;
  for (const auto& m3 : {short_of_one, swapped, forged})
    EXPECT_EQ(round.server.accept(m3).kind, Kind::kRejected);
  EXPECT_EQ(round.server.accept(good).kind, Kind::kAccepted);
}

TEST(SecAggServer, SharesReachTheirHolderUnchanged) {
  Round round(5, 1);
  ASSERT_TRUE(round.advertise(round.members.all()).ok());
  ASSERT_TRUE(round.deal({0, 1, 2, 4}).ok());
  const auto m4 = round.server.share_forward(round.members.members[2].id);
  ASSERT_EQ(m4.entries.size(), 3U);
  EXPECT_EQ(m4.entries[2].from, round.members.members[4].id);
  EXPECT_EQ(m4.entries[2].entry, round.members.shares(4, round.server.u1()).entries[2]);
}

// ---- Check

/// Everybody checks; members 1 and 2 complain about the shares of 3.
struct AccusedRound : Round {
  explicit AccusedRound(std::uint32_t n = 7, std::uint32_t C = 2) : Round(n, C) {
    EXPECT_TRUE(advertise(members.all()).ok());
    EXPECT_TRUE(deal(members.all()).ok());
    for (std::uint32_t i : members.all())
      server.accept(members.check(i, server.v(), i == 1 || i == 2 ? IndexSet{3} : IndexSet{}));
    EXPECT_TRUE(server.fix_complaints().ok());
  }

  [[nodiscard]] MemberId id(std::uint32_t i) const { return members.members[i].id; }

  [[nodiscard]] wire::Opening opening() const {
    return members.opening(3, server.complaints_about(id(3)));
  }

  /// Refused, and nothing of it counts.
  void refuses(wire::Opening m4c, const std::string& why) {
    const MessageResult result = server.accept(m4c);
    EXPECT_EQ(result.kind, Kind::kRejected);
    EXPECT_NE(result.reason.find(why), std::string::npos) << result.reason;
    EXPECT_TRUE(server.answered().empty());
  }
};

TEST(SecAggServer, AnAccusedDealerIsAskedWithTheSignedComplaints) {
  AccusedRound round;
  EXPECT_EQ(round.server.asked(), IndexSet{3});
  const auto m4b = round.server.complaints_about(round.id(3));
  ASSERT_EQ(m4b.checks.size(), 2U);
  EXPECT_EQ(m4b.checks[0], round.members.check(1, round.server.v(), {3}));
  EXPECT_EQ(m4b.checks[1], round.members.check(2, round.server.v(), {3}));
}

TEST(SecAggServer, WhoOpensWhatItCommittedToStays) {
  AccusedRound round;
  EXPECT_EQ(round.server.accept(round.opening()).kind, Kind::kAccepted);
  EXPECT_EQ(round.server.accept(round.opening()).kind, Kind::kIgnored) << "repeated";
  ASSERT_TRUE(round.server.fix_u2().ok());
  EXPECT_EQ(round.server.u2(), round.members.all());
}

TEST(SecAggServer, WhoOpensNothingOrAnotherShareLeaves) {
  AccusedRound silent;
  ASSERT_TRUE(silent.server.fix_u2().ok());
  EXPECT_EQ(silent.server.u2(), (IndexSet{0, 1, 2, 4, 5, 6}));

  for (const bool of_b : {true, false}) {
    AccusedRound round;
    wire::Opening m4c = round.opening();
    (of_b ? m4c.shares[1].b : m4c.shares[1].r)[2] ^= 1;
    sign_opening(round.members.members[3].signing, round.server.h(), m4c);
    EXPECT_EQ(round.server.accept(m4c).kind, Kind::kRejected);
    EXPECT_EQ(round.server.answered(), IndexSet{3}) << "nothing more is waited for";
    EXPECT_EQ(round.server.accept(round.opening()).kind, Kind::kRejected) << "it has answered";
    ASSERT_TRUE(round.server.fix_u2().ok());
    EXPECT_EQ(round.server.u2(), (IndexSet{0, 1, 2, 4, 5, 6}));
  }
}

TEST(SecAggServer, AnOpeningIsOfTheSharesAskedForAndSigned) {
  AccusedRound round;
  const auto signed_again = [&](auto change) {
    wire::Opening m4c = round.opening();
    change(m4c);
    sign_opening(round.members.members[3].signing, round.server.h(), m4c);
    return m4c;
  };
  wire::Opening forged = round.opening();
  forged.signature[0] ^= 1;
  round.refuses(forged, "signature");
  round.refuses(signed_again([](auto& m) { m.shares.pop_back(); }), "asked for");
  round.refuses(signed_again([](auto& m) { std::swap(m.shares[0], m.shares[1]); }), "asked for");
  round.refuses(signed_again([](auto& m) { m.shares.push_back(m.shares[0]); }), "asked for");
  round.refuses(signed_again([](auto& m) { m.d_v[0] ^= 1; }), "another V");
  round.refuses(signed_again([&](auto& m) { m.id = round.id(1); }), "nobody asked");
}

TEST(SecAggServer, ComplaintsAboutOneselfOrOutsidersAreRejected) {
  Round round(5, 1);
  ASSERT_TRUE(round.advertise(round.members.all()).ok());
  ASSERT_TRUE(round.deal({0, 1, 2, 3}).ok());
  EXPECT_EQ(round.server.accept(round.members.check(0, round.server.v(), {0})).kind,
            Kind::kRejected);
  EXPECT_EQ(round.server.accept(round.members.check(0, round.server.v(), {4})).kind,
            Kind::kRejected);
  EXPECT_EQ(round.server.accept(round.members.check(0, round.server.v(), {}, {4})).kind,
            Kind::kRejected);
  EXPECT_EQ(round.server.accept(round.members.check(0, round.server.v(), {1}, {1})).kind,
            Kind::kRejected);
  EXPECT_EQ(round.server.accept(round.members.check(0, {0, 1, 2})).kind, Kind::kRejected);
}

// ---- Upload

TEST(SecAggServer, UploadUnderAnotherU2IsRejected) {
  Round round(5, 1);
  round.until_u2(round.members.all());
  const IndexSet other{0, 1, 2, 3};
  const Bytes packed = round.members.masked_input(0, other);
  EXPECT_EQ(round.server.accept(round.members.upload_header(0, other, packed)).kind,
            Kind::kRejected);
}

TEST(SecAggServer, UploadWithoutItsSignedHashOrLengthDoesNotCount) {
  Round round(4, 1);
  round.until_u2(round.members.all());
  const MemberId id = round.members.members[0].id;
  Bytes packed = round.members.masked_input(0, round.server.u2());
  ASSERT_EQ(round.server.accept(round.members.upload_header(0, round.server.u2(), packed)).kind,
            Kind::kAccepted);
  EXPECT_FALSE(round.server.check_upload(id, BytesView(packed).first(packed.size() - 1)).ok());
  packed[3] ^= 1;
  EXPECT_FALSE(round.server.check_upload(id, packed).ok());
  packed[3] ^= 1;
  EXPECT_TRUE(round.server.check_upload(id, packed).ok());
}

TEST(SecAggServer, SHoldsOnlyCompleteUploadsAndLateOnesStayOut) {
  Round round(5, 1);
  round.until_u2(round.members.all());
  const Bytes packed = round.members.masked_input(4, round.server.u2());
  const auto announced = round.members.upload_header(4, round.server.u2(), packed);
  ASSERT_EQ(round.server.accept(announced).kind, Kind::kAccepted);  // its bytes never come
  ASSERT_TRUE(round.upload({0, 1, 2, 3}).ok());
  EXPECT_EQ(round.server.s(), (IndexSet{0, 1, 2, 3}));

  Round late(5, 1);
  late.until_u2(late.members.all());
  ASSERT_TRUE(late.upload({0, 1, 2, 3}).ok());
  EXPECT_EQ(late.server.accept(announced).kind, Kind::kIgnored);
}

// ---- Endorse and unmask

TEST(SecAggServer, EndorsementsCountOncePerMemberOfSOverThisS) {
  Round round(5, 1);
  round.until_u2(round.members.all());
  const IndexSet s{0, 1, 2, 3};
  ASSERT_TRUE(round.upload(s).ok());
  const auto id = [&](std::uint32_t i) { return round.members.members[i].id; };
  const IndexSet& u2 = round.server.u2();
  EXPECT_EQ(round.server.accept(id(4), round.members.endorse(4, u2, s)).kind, Kind::kRejected);
  EXPECT_EQ(round.server.accept(id(0), round.members.endorse(0, u2, u2)).kind, Kind::kRejected);
  EXPECT_EQ(round.server.accept(id(1), round.members.endorse(0, u2, s)).kind, Kind::kRejected);
  for (int times = 0; times < 5; ++times)
    for (std::uint32_t i : {0U, 1U, 2U})
      round.server.accept(id(i), round.members.endorse(i, u2, s));
  EXPECT_FALSE(round.server.has_quorum());
  round.endorse({3});
  EXPECT_TRUE(round.server.has_quorum());
}

TEST(SecAggServer, CertificateDoesNotChangeWithLateEndorsements) {
  Round round(6, 1);
  round.until_u2(round.members.all());
  ASSERT_TRUE(round.upload(round.members.all()).ok());
  round.endorse({5, 2, 1, 4});
  ASSERT_TRUE(round.server.has_quorum());
  const wire::UnmaskRequest m8 = round.server.unmask_request(round.members.members[2].id);
  round.endorse({0, 3});
  EXPECT_EQ(round.server.unmask_request(round.members.members[2].id), m8);
  EXPECT_EQ(m8.certificate.size(), 4U);
  EXPECT_EQ(m8.headers.size(), 6U);
}

TEST(SecAggServer, AnswersOnlyFromMembersWhoseEndorsementIsHeld) {
  Round round(6, 1);
  round.until_u2(round.members.all());
  const IndexSet all = round.members.all();
  ASSERT_TRUE(round.upload(all).ok());
  EXPECT_EQ(round.server.accept(round.members.unmask(0, all, all)).kind, Kind::kRejected);
  round.endorse({0, 1, 2, 3});
  EXPECT_EQ(round.server.accept(round.members.unmask(4, all, all)).kind, Kind::kRejected);
  round.endorse({4});
  EXPECT_EQ(round.server.accept(round.members.unmask(4, all, all)).kind, Kind::kAccepted);
}

TEST(SecAggServer, AnAnswerWithTheOtherKindOfShareIsRefusedWhole) {
  Round round(5, 1);
  const IndexSet all = round.members.all();
  const IndexSet s{0, 1, 2, 3};
  round.until_endorsed(all, s);
  for (std::size_t entry : {0U, 4U}) {
    wire::UnmaskResponse m9 = round.members.unmask(0, all, s);
    const bool alive = entry != 4;
    m9.shares[entry].kind = alive ? wire::ShareKind::kMaskKey : wire::ShareKind::kSelfMask;
    sign_unmask_response(round.members.members[0].signing, round.members.h, m9);
    EXPECT_EQ(round.server.accept(m9).kind, Kind::kRejected);
  }
  EXPECT_TRUE(round.server.responded().empty());
}

TEST(SecAggServer, ASharePerDealerAtMostAndInOrder) {
  Round round(4, 1);
  const IndexSet all = round.members.all();
  round.until_endorsed(all, all);
  wire::UnmaskResponse twice = round.members.unmask(0, all, all);
  twice.shares[1] = twice.shares[0];
  sign_unmask_response(round.members.members[0].signing, round.members.h, twice);
  EXPECT_EQ(round.server.accept(twice).kind, Kind::kRejected);
  EXPECT_FALSE(round.server.can_open());
}

TEST(SecAggServer, AWrongShareIsLeftOutAndTheSumStaysExactWithTGoodOnes) {
  Round round(5, 1);
  const IndexSet all = round.members.all();
  round.until_endorsed(all, all);
  wire::UnmaskResponse bad = round.members.unmask(0, all, all);
  bad.shares[2].share[0] ^= 1;
  sign_unmask_response(round.members.members[0].signing, round.members.h, bad);
  const MessageResult result = round.server.accept(bad);
  EXPECT_EQ(result.kind, Kind::kRejected);
  EXPECT_NE(result.reason.find("16"), std::string::npos) << "names the dealer: " << result.reason;
  round.unmask({1, 2});
  EXPECT_FALSE(round.server.can_open()) << "dealer 2 has two good shares only";
  round.unmask({3});
  ASSERT_TRUE(round.server.can_open());
  EXPECT_TRUE(round.opens_exactly(all));
}

/// Shares of something else than what the member advertised, to be dealt instead.
std::vector<crypto::Secret32> shares_of_another_secret(ScriptedMembers& members) {
  return crypto::share_secret(crypto::random_scalar(members.random), members.header.t, members.n(),
                              members.random);
}

TEST(SecAggServer, SharesOfAnotherSelfMaskSeedAreEvidenceAgainstTheDealer) {
  Round round(5, 1);
  round.members.members[2].b_shares = shares_of_another_secret(round.members);
  const IndexSet all = round.members.all();
  round.until_endorsed(all, all);
  round.unmask(all);
  ASSERT_TRUE(round.server.can_open());
  const auto opened = round.server.open();
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("member 16"), std::string::npos) << opened.error().message;
}

TEST(SecAggServer, SharesOfAnotherMaskKeyAreEvidenceAgainstTheDealer) {
  Round round(5, 1);
  round.members.members[2].r_shares = shares_of_another_secret(round.members);
  const IndexSet s{0, 1, 3, 4};
  round.until_endorsed(round.members.all(), s);
  round.unmask(s);
  ASSERT_TRUE(round.server.can_open());
  const auto opened = round.server.open();
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("member 16"), std::string::npos) << opened.error().message;
}

TEST(SecAggServer, ResultIsSignedAndNamesS) {
  Round round(4, 1);
  const IndexSet all = round.members.all();
  round.until_endorsed(all, all);
  const auto m10 = round.server.result(wire::RoundStatus::kDone, {1}, {2});
  EXPECT_EQ(m10.d_s, round.members.d_s(all, all));
  EXPECT_TRUE(verify_result(round.members.coordinator.verify_key(), round.members.h, m10));
}

}  // namespace
}  // namespace sotto::secagg

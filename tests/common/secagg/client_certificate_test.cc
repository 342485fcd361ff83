// Survivors and certificate: what a member endorses, and the one request that opens its shares
// (docs/secure-aggregation.md, 2.7).
#include "tests/common/secagg/round_fixture.h"

namespace sotto::secagg {
namespace {

using wire::ShareKind;

// ---- M6

struct SecAggClientAtSurvivors : ::testing::Test {
  TestRound round{6};
  const IndexSet u2{0, 1, 2, 3, 4};  // 5 is in V only

  SecAggClientAtSurvivors() {
    round.until_checked();
    round.fix_u2(u2);
    round.upload(u2);
  }

  void refuses(const wire::Survivors& m6, const std::string& why) {
    expect_refused(round.clients[0].endorse(m6), why);
  }
};

TEST_F(SecAggClientAtSurvivors, RefusesSBelowSMin) {
  refuses(round.survivors(u2, {0, 1, 2}), "3 members, at least 4");
}

TEST_F(SecAggClientAtSurvivors, RefusesSBeyondU2) {
  refuses(round.survivors(u2, {0, 1, 2, 3, 5}), "not in the set before");
}

TEST_F(SecAggClientAtSurvivors, RefusesSWithoutIt) {
  refuses(round.survivors(u2, {1, 2, 3, 4}), "left out");
}

TEST_F(SecAggClientAtSurvivors, RefusesAnotherU2) {
  refuses(round.survivors(all_of(6), u2), "another U2");
}

TEST_F(SecAggClientAtSurvivors, RefusesWhatTheCoordinatorDidNotSign) {
  auto m6 = round.survivors(u2, u2);
  m6.s = round.bits({0, 1, 2, 3});
  refuses(m6, "signature");
}

TEST_F(SecAggClientAtSurvivors, RefusesASecondSInTheSameRound) {
  const auto first = round.clients[0].endorse(round.survivors(u2, u2));
  ASSERT_TRUE(first.ok());
  refuses(round.survivors(u2, {0, 1, 2, 3}), "another S was endorsed");
  // The first one again gives the same bytes.
  EXPECT_EQ(round.clients[0].endorse(round.survivors(u2, u2))->message, first->message);
}

TEST_F(SecAggClientAtSurvivors, ARefusedSDoesNotStandInTheWayOfAGoodOne) {
  refuses(round.survivors(u2, {0, 1, 2}), "at least 4");
  EXPECT_TRUE(round.clients[0].endorse(round.survivors(u2, {0, 1, 2, 3})).ok());
}

// ---- M8

struct SecAggClientAtCertificate : ::testing::Test {
  TestRound round{6};
  const IndexSet u2 = all_of(6), s{0, 1, 2, 3, 4};
  const IndexSet quorum{0, 1, 2, 3};

  SecAggClientAtCertificate() {
    round.until_fixed();
    round.upload(u2);
    round.endorse(u2, s);
  }

  wire::UnmaskRequest honest() { return round.request(u2, s, quorum); }

  void refuses(const wire::UnmaskRequest& m8, const std::string& why) {
    expect_refused(round.clients[0].unmask(m8), why);
  }
};

TEST_F(SecAggClientAtCertificate, RevealsOneKindOfShareForEveryMemberOfU2) {
  const auto m9 = round.clients[0].unmask(honest()).value();
  ASSERT_EQ(m9.shares.size(), 6U);
  for (std::uint32_t i = 0; i < 6; ++i) {
    EXPECT_EQ(m9.shares[i].dealer, round.id(i));
    EXPECT_EQ(m9.shares[i].kind, i == 5 ? ShareKind::kMaskKey : ShareKind::kSelfMask);
    const auto& entry = round.entry(i, 0);
    EXPECT_EQ(
        commit_share(m9.shares[i].kind, round.h, round.id(i), round.id(0), m9.shares[i].share),
        i == 5 ? entry.cr : entry.cb);
  }
  EXPECT_TRUE(verify_unmask_response(round.roster[0].verify_key, round.h, m9));
}

TEST_F(SecAggClientAtCertificate, RefusesBothShareKindsForOneMember) {
  // both_seeds_two_requests: b of member 4 with S, then its r with an S that leaves it out.
  ASSERT_TRUE(round.clients[0].unmask(honest()).ok());
  const IndexSet s2{0, 1, 2, 3};
  const Bytes32 d_u2 = digest_u2(round.h, round.bits(u2));
  wire::UnmaskRequest second = round.request(u2, s2, {});
  for (std::uint32_t i : quorum) {  // even with a whole certificate, from colluding signers
    wire::Endorse m7{.id = round.id(i), .signature = {}};
    sign_endorse(round.keys[i], round.h, d_u2, round.d_s(u2, s2), m7);
    second.certificate.push_back(m7);
  }
  refuses(second, "has not endorsed");
  expect_refused(round.clients[0].endorse(round.survivors(u2, s2)), "another S");
}

TEST_F(SecAggClientAtCertificate, RefusesACertificateOneShort) {
  refuses(round.request(u2, s, {0, 1, 2}), "3 endorsements, 4 are needed");
}

TEST_F(SecAggClientAtCertificate, RefusesADuplicateSigner) {
  auto m8 = honest();
  m8.certificate[3] = m8.certificate[2];
  refuses(m8, "distinct");
  m8 = honest();
  m8.certificate.pop_back();
  m8.certificate.push_back(m8.certificate[0]);
  refuses(m8, "distinct");
}

TEST_F(SecAggClientAtCertificate, RefusesAnOutsiderOrASignatureByAnotherMember) {
  auto m8 = honest();
  m8.certificate[3].id = MemberId{99};
  refuses(m8, "outside the cohort");
  m8 = honest();
  m8.certificate[3].id = round.id(4);
  refuses(m8, "member 50 does not verify");
}

TEST_F(SecAggClientAtCertificate, RefusesACertificateOfAnotherRoundOrAnotherU2) {
  const Bytes32 d_u2 = digest_u2(round.h, round.bits(u2));
  auto m8 = honest();
  sign_endorse(round.keys[3], Bytes32{7}, d_u2, m8.d_s, m8.certificate[3]);
  refuses(m8, "does not verify");
  m8 = honest();
  const Bytes32 other_u2 = digest_u2(round.h, round.bits(s));
  sign_endorse(round.keys[3], round.h, other_u2, m8.d_s, m8.certificate[3]);
  refuses(m8, "does not verify");
  m8 = honest();
  m8.d_u2 = other_u2;
  refuses(m8, "has not endorsed");
}

TEST_F(SecAggClientAtCertificate, RefusesAMissingUploadHeader) {
  auto m8 = honest();
  m8.headers.erase(m8.headers.begin() + 2);
  refuses(m8, "not one upload header");
}

TEST_F(SecAggClientAtCertificate, RefusesAnUploadHeaderWithAnotherU2) {
  auto m8 = honest();
  m8.headers[2].d_u2 = digest_u2(round.h, round.bits(s));
  sign_upload(round.keys[2], round.h, m8.headers[2]);
  refuses(m8, "uploaded under another U2");
}

TEST_F(SecAggClientAtCertificate, RefusesAnUploadHeaderThatIsForgedOrOutOfOrder) {
  auto m8 = honest();
  m8.headers[2].hash_y[0] ^= 1;
  refuses(m8, "not signed");
  m8 = honest();
  std::swap(m8.headers[1], m8.headers[2]);
  refuses(m8, "in order");
}

TEST_F(SecAggClientAtCertificate, RefusesBeforeItHasEndorsed) {
  expect_refused(round.clients[5].unmask(honest()), "has not endorsed");
}

TEST_F(SecAggClientAtCertificate, AnswersARepetitionWithTheSameBytes) {
  const auto first = round.clients[0].unmask(honest()).value();
  EXPECT_EQ(round.clients[0].unmask(round.request(u2, s, {1, 2, 3, 4})).value(), first);
}

TEST_F(SecAggClientAtCertificate, ARefusedCertificateDoesNotStandInTheWayOfAGoodOne) {
  refuses(round.request(u2, s, {0, 1, 2}), "endorsements");
  EXPECT_TRUE(round.clients[0].unmask(honest()).ok());
}

TEST_F(SecAggClientAtCertificate, PartitionByTwoViewsOfU2ReleasesNothingOfTheOther) {
  // equivocate_u2_symmetric_edge_removal: member 4 was shown {0, 1, 2, 4}, the others all six.
  TestRound split(6);
  split.until_checked();
  const IndexSet seen{0, 1, 2, 4};
  for (std::uint32_t i : {0U, 1U, 2U, 3U, 5U})
    ASSERT_TRUE(split.clients[i].accept_u2(split.fix(u2)).ok());
  ASSERT_TRUE(split.clients[4].accept_u2(split.fix(seen)).ok());
  split.upload(u2);
  for (std::uint32_t i : quorum)
    split.m7[i] = split.clients[i].endorse(split.survivors(u2, s)).value().message;
  expect_refused(split.clients[0].unmask(split.request(u2, s, quorum)), "another U2");
  expect_refused(split.clients[4].endorse(split.survivors(u2, s)), "another U2");
}

}  // namespace
}  // namespace sotto::secagg

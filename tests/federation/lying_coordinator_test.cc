// docs/secure-aggregation.md, "Coordinator misbehaviour": a coordinator that signs whatever it
// likes meets production participants. Nothing is released beyond one certified sum.
#include "tests/federation/lying_coordinator.h"

#include <algorithm>

namespace sotto::simulation {
namespace {

using secagg::IndexSet;

const IndexSet kAll{0, 1, 2, 3, 4};
const IndexSet kFour{0, 1, 2, 3};  // as many as a certificate needs

/// The round up to the moment at which the coordinator would announce the survivors.
void until_uploaded(LyingCoordinator& liar) {
  liar.honest_until<wire::Survivors>();
  for (std::uint32_t member : kAll)
    ASSERT_TRUE(liar.heard[member].m5.has_value()) << "member " << member;
}

// The harness itself: without a lie, the very same messages open the sum.
TEST(LyingCoordinator, WithoutALieTheCertificateIsAnswered) {
  LyingCoordinator liar;
  until_uploaded(liar);
  liar.tell(kAll, liar.survivors(kAll, kAll));
  liar.tell(kAll, liar.certificate(kAll, kAll, kFour));
  EXPECT_EQ(liar.shares_revealed(), 25U);
  EXPECT_TRUE(liar.checker().failures().empty());
}

TEST(LyingCoordinator, ShowingOneMemberAnotherU2ReleasesNothing) {
  LyingCoordinator liar;
  liar.honest_until<wire::Fix>();
  const IndexSet other{1, 2, 3, 4};
  liar.tell(kFour, liar.fix(kAll));
  liar.tell(4, liar.fix(other));
  for (std::uint32_t member : kAll)
    ASSERT_TRUE(liar.heard[member].m5.has_value()) << "member " << member;
  liar.tell(4, liar.survivors(kAll, other));  // an S inside its own U2, under that of the others
  liar.tell(kAll, liar.survivors(kAll, kAll));
  EXPECT_FALSE(liar.heard[4].m7) << "endorsed an S under a U2 that it never saw";
  for (std::uint32_t member : kFour)
    EXPECT_TRUE(liar.heard[member].m7.has_value()) << "member " << member;
  // Four endorsements are a certificate, but no upload header of member 4 fits it (R3).
  liar.tell(kAll, liar.certificate(kAll, kAll, kFour));
  EXPECT_EQ(liar.shares_revealed(), 0U);
  EXPECT_TRUE(liar.checker().failures().empty());
}

TEST(LyingCoordinator, ASecondU2MakesNoSecondUpload) {
  LyingCoordinator liar;
  until_uploaded(liar);
  const auto before = liar.heard[0].m5;
  liar.tell(0, liar.fix(kFour));
  EXPECT_EQ(liar.heard[0].m5, before);
  EXPECT_TRUE(liar.checker().failures().empty());
}

TEST(LyingCoordinator, TwoSurvivorSetsNeverBothFindAQuorum) {
  LyingCoordinator liar;
  until_uploaded(liar);
  liar.tell({0, 1, 4}, liar.survivors(kAll, kAll));
  liar.tell({2, 3}, liar.survivors(kAll, kFour));
  liar.tell({0, 1}, liar.survivors(kAll, kFour));  // they have endorsed the other one
  liar.tell({2, 3}, liar.survivors(kAll, kAll));
  for (std::uint32_t member : kAll)
    EXPECT_TRUE(liar.heard[member].m7.has_value()) << "member " << member;
  for (const IndexSet& s : {kAll, kFour})
    liar.tell(kAll, liar.certificate(kAll, s, kFour));
  EXPECT_EQ(liar.shares_revealed(), 0U);
  EXPECT_TRUE(liar.checker().failures().empty());
}

TEST(LyingCoordinator, UnmaskingBeforeTheCertificateIsRefused) {
  LyingCoordinator liar;
  until_uploaded(liar);
  const IndexSet three{0, 1, 2};
  liar.tell(three, liar.survivors(kAll, kAll));
  liar.tell(kAll, liar.certificate(kAll, kAll, three));  // one short
  auto twice = liar.certificate(kAll, kAll, three);
  twice.certificate.push_back(twice.certificate.back());  // one signer twice
  liar.tell(kAll, twice);
  auto forged = liar.certificate(kAll, kAll, three);  // a signature that is none
  forged.certificate.push_back({.id = LyingCoordinator::id(3), .signature = {}});
  liar.tell(kAll, forged);
  auto outsider = liar.certificate(kAll, kAll, three);
  wire::Endorse by_coordinator{.id = MemberId{999}, .signature = {}};
  secagg::sign_endorse(liar.key(), liar.h(), outsider.d_u2, outsider.d_s, by_coordinator);
  outsider.certificate.push_back(by_coordinator);
  liar.tell(kAll, outsider);
  EXPECT_EQ(liar.shares_revealed(), 0U);
  EXPECT_TRUE(liar.checker().failures().empty());
}

TEST(LyingCoordinator, ACertificateOpensOnlyForThoseWhoEndorsed) {
  LyingCoordinator liar;
  until_uploaded(liar);
  liar.tell(kFour, liar.survivors(kAll, kAll));
  liar.tell(4, liar.certificate(kAll, kAll, kFour));
  EXPECT_EQ(liar.shares_revealed(), 0U) << "member 4 has not endorsed";
  liar.tell(4, liar.survivors(kAll, kAll));
  liar.tell(4, liar.certificate(kAll, kAll, kFour));
  EXPECT_EQ(liar.shares_revealed(), 5U);
}

TEST(LyingCoordinator, AnsweredOnceNoOtherSurvivorSetIsAnswered) {
  LyingCoordinator liar;
  until_uploaded(liar);
  liar.tell(kAll, liar.survivors(kAll, kAll));
  liar.tell(kAll, liar.certificate(kAll, kAll, kFour));
  const std::size_t answered = liar.shares_revealed();
  EXPECT_GT(answered, 0U);
  liar.tell(kFour, liar.survivors(kAll, kFour));
  liar.tell(kFour, liar.certificate(kAll, kFour, kFour));
  EXPECT_EQ(liar.shares_revealed(), answered);
  EXPECT_TRUE(liar.checker().failures().empty()) << "both kinds would show member 4's input";
}

TEST(LyingCoordinator, SurvivorSetsThatBreakTheRulesAreNotEndorsed) {
  for (const IndexSet& s : {IndexSet{0, 1, 2}, IndexSet{1, 2, 3, 4}, IndexSet{}}) {
    LyingCoordinator liar;
    until_uploaded(liar);
    liar.tell(0, liar.survivors(kAll, s));  // too few, without member 0, empty
    EXPECT_FALSE(liar.heard[0].m7.has_value());
  }
}

TEST(LyingCoordinator, TheSameRoundIsNotJoinedTwice) {
  LyingCoordinator liar;
  until_uploaded(liar);
  liar.tell(kAll, liar.offer(liar.header()));
  wire::RoundHeader changed = liar.header();
  changed.model_hash[3] ^= 1;
  liar.tell(kAll, liar.offer(changed));
  EXPECT_TRUE(liar.checker().failures().empty()) << "a second M1 or M5 in one round";
}

/// The coordinator continues the round. The misled member has advertised its keys under another h,
/// so the round loses it before any other member masks against it.
TEST(LyingCoordinator, AnotherModelForOneMemberStopsTheRoundBeforeUploads) {
  constexpr MemberId kMisled{1};
  constexpr RoundNumber kRound = RoundNumber::of(1, 0);
  Federation federation({.members = 5});
  federation.interception.to_member = [&](MemberId to, RoundNumber round, wire::Message message) {
    if (auto* m0 = std::get_if<wire::Offer>(&message); m0 && to == kMisled && round == kRound) {
      m0->header.model_hash[0] ^= 1;
      secagg::sign_offer(federation.coordinator_key(), *m0);
    }
    return Messages{std::move(message)};
  };
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_TRUE(federation.checker().advertised(kMisled, kRound)) << "it joined";
  EXPECT_FALSE(federation.checker().uploaded(kMisled, kRound));
  EXPECT_EQ(federation.checker().status(kRound), wire::RoundStatus::kDone);
  EXPECT_FALSE(federation.checker().survivors(kRound).contains(kMisled));
  EXPECT_EQ(federation.checker().survivors(kRound).size(), 4U);
}

}  // namespace
}  // namespace sotto::simulation

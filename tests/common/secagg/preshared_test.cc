// Pre-shared keys of pairs (docs/secure-aggregation.md, 2.5).
#include "common/secagg/shared/preshared.h"

#include <algorithm>

#include "tests/common/secagg/round_fixture.h"
#include "tests/common/secagg/sparse_round.h"

namespace sotto::secagg {
namespace {

crypto::Secret32 key_of(std::uint8_t byte) {
  crypto::Secret32 key;
  std::ranges::fill(key.writable(), byte);
  return key;
}

TEST(PresharedKeys, MasksOfDropoutsComeOffTheSum) {
  SparseRound round{{.n = 48, .C = 1, .k = 8, .t = 3, .q = 4, .keyed = 2}};
  ASSERT_TRUE(round.advertise(round.all()).ok());
  ASSERT_TRUE(round.deal(round.all()).ok());
  ASSERT_TRUE(round.check(round.all()).ok());
  EXPECT_EQ(round.server->u2(), round.all()) << "nobody complains";
  // 5 and 6 have a key with each other too.
  ASSERT_TRUE(round.upload(round.but({5, 6, 30})).ok());
  round.endorse(round.server->s());
  round.unmask(round.server->s());
  EXPECT_TRUE(round.server->evidence_against_dealers().empty());
  round.expect_exact_sum();
}

TEST(PresharedKeys, OfARoundAreOfThePairTheRoundAndTheUse) {
  const MemberId one{1}, two{2}, three{3};
  const auto a = preshared_of_round(key_of(1), Bytes32{1}, one, two);
  const auto same = preshared_of_round(key_of(1), Bytes32{1}, two, one);
  EXPECT_TRUE(a.masking.equals(same.masking) && a.sealing.equals(same.sealing));
  EXPECT_FALSE(a.masking.equals(a.sealing)) << "the coordinator may learn one of them";
  EXPECT_FALSE(a.masking.equals(preshared_of_round(key_of(1), Bytes32{2}, one, two).masking));
  EXPECT_FALSE(a.masking.equals(preshared_of_round(key_of(1), Bytes32{1}, one, three).masking));
  EXPECT_FALSE(a.masking.equals(preshared_of_round(key_of(2), Bytes32{1}, one, two).masking));
}

TEST(PresharedKeys, AnEscrowOpensUnderTheDealersSecretAndInItsPlaceAlone) {
  const EscrowPlace place{.h = Bytes32{1}, .dealer = MemberId{1}, .holder = MemberId{2}};
  const auto r = key_of(7);
  auto escrow = make_escrow(place, key_of(9), r);
  EXPECT_TRUE(commits_to(escrow, place, key_of(9)));
  EXPECT_FALSE(commits_to(escrow, place, key_of(8)));
  ASSERT_TRUE(open_escrow(escrow, place, r));
  EXPECT_TRUE(open_escrow(escrow, place, r)->equals(key_of(9)));
  EXPECT_FALSE(open_escrow(escrow, place, key_of(6)));
  EscrowPlace other = place;
  std::swap(other.dealer, other.holder);
  EXPECT_FALSE(open_escrow(escrow, other, r));
  // Another value under the commitment of this one.
  escrow.sealed = make_escrow(place, key_of(8), r).sealed;
  EXPECT_FALSE(open_escrow(escrow, place, r));
}

// ---- a complete graph of five; members 0 and 1 have a key

struct PresharedRound : ::testing::Test {
  TestRound round{5};

  void give(std::uint32_t i, std::uint32_t j, std::uint8_t byte) {
    round.preshared.resize(5);
    round.preshared[i].insert_or_assign(round.id(j), key_of(byte));
  }

  void until_dealt() {
    round.join();
    round.until_dealt();
  }

  /// Whose key is another one, says member `i`; it complains about nobody's share.
  wire::Bitmap other_keys(std::uint32_t i, const wire::ShareForward& m4) {
    const auto m4a = round.clients[i].check_shares(m4);
    EXPECT_TRUE(m4a.ok());
    if (!m4a.ok()) return {};
    EXPECT_EQ(m4a->bad_dealers, round.bits({}));
    return m4a->other_keys;
  }
};

TEST_F(PresharedRound, TheSameKeyOnBothSidesIsNoComplaint) {
  give(0, 1, 9), give(1, 0, 9);
  until_dealt();
  EXPECT_TRUE(round.entry(0, 1).escrow && round.entry(1, 0).escrow);
  EXPECT_FALSE(round.entry(0, 2).escrow);
  EXPECT_EQ(other_keys(0, round.forward(0, all_of(5))), round.bits({}));
  EXPECT_EQ(other_keys(1, round.forward(1, all_of(5))), round.bits({}));
}

TEST_F(PresharedRound, AKeyOnOneSideOnlyIsSaidByBothAndNoShareIsBlamed) {
  give(0, 1, 9);
  until_dealt();
  EXPECT_EQ(other_keys(0, round.forward(0, all_of(5))), round.bits({1}));
  EXPECT_EQ(other_keys(1, round.forward(1, all_of(5))), round.bits({0}));
}

TEST_F(PresharedRound, AnotherKeyOnTheOtherSideIsSaidAndNoShareIsBlamed) {
  give(0, 1, 9), give(1, 0, 8);
  until_dealt();
  EXPECT_EQ(other_keys(0, round.forward(0, all_of(5))), round.bits({1}));
  // Its masks with that member would not cancel, whatever is opened.
  expect_refused(round.clients[0].accept_u2(round.fix(all_of(5))), "not in the set before");
  EXPECT_TRUE(round.clients[0].accept_u2(round.fix({0, 2, 3, 4})).ok());
}

TEST_F(PresharedRound, AnEscrowTakenAwayOrChangedIsAnotherKey) {
  give(0, 1, 9), give(1, 0, 9);
  for (const bool taken : {true, false}) {
    until_dealt();
    auto m4 = round.forward(0, all_of(5));
    auto& entry = m4.entries[0].entry;
    ASSERT_EQ(m4.entries[0].from, round.id(1));
    if (taken)
      entry.escrow.reset();
    else
      entry.escrow->commitment[0] ^= 1;
    sign_share_entry(round.keys[1], round.h, round.id(1), entry);
    EXPECT_EQ(other_keys(0, m4), round.bits({1}));
  }
}

TEST_F(PresharedRound, TheSignatureOfAnEntryCoversItsEscrow) {
  give(0, 1, 9), give(1, 0, 9);
  until_dealt();
  auto m4 = round.forward(0, all_of(5));
  m4.entries[0].entry.escrow->sealed[5] ^= 1;
  EXPECT_FALSE(round.clients[0].check_shares(m4).ok());
}

/// The seeds of member 0's masks once U2 is fixed.
std::vector<MaskSeed> seeds_of_member_0(TestRound& round) {
  EXPECT_TRUE(round.clients[0].check_shares(round.forward(0, all_of(5))).ok());
  EXPECT_TRUE(round.clients[0].accept_u2(round.fix(all_of(5))).ok());
  return std::move(round.clients[0].mask_job().seeds);
}

TEST(PresharedKeys, ChangeTheMasksOfTheirPairAlone) {
  std::vector<std::vector<MaskSeed>> seeds;
  for (const bool keyed : {false, true}) {
    TestRound round(5);
    round.preshared.resize(5);
    if (keyed) {
      round.preshared[0].emplace(round.id(1), key_of(9));
      round.preshared[1].emplace(round.id(0), key_of(9));
    }
    round.join();
    round.until_dealt();
    seeds.push_back(seeds_of_member_0(round));
  }
  ASSERT_EQ(seeds[0].size(), 5U);  // its own, then those with 1 to 4
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_EQ(seeds[0][i].secret.equals(seeds[1][i].secret), i != 1) << i;
}

TEST(PresharedKeys, AnEscrowThatDoesNotOpenIsEvidenceAgainstItsDealer) {
  SparseRound round{{.n = 16, .C = 1, .k = 8, .t = 3, .q = 4, .keyed = 1}};
  constexpr std::uint32_t kDealer = 3;
  ASSERT_TRUE(round.advertise(round.all()).ok());
  for (std::uint32_t i : round.all()) {
    auto m3 = round.clients[i].deal(round.server->key_list(round.id(i)), round.random).value();
    for (auto& entry : m3.entries)
      if (i == kDealer && entry.escrow) {
        entry.escrow->sealed[0] ^= 1;  // the holder cannot see it
        sign_share_entry(round.keys[i], round.server->h(), m3.id, entry);
      }
    round.accept(m3);
  }
  ASSERT_TRUE(round.server->fix_v().ok());
  ASSERT_TRUE(round.check(round.all()).ok());
  ASSERT_TRUE(round.upload(round.but({kDealer, 9})).ok());
  round.endorse(round.server->s());
  round.unmask(round.server->s());
  const auto job = round.server->open();
  ASSERT_FALSE(job.ok());
  EXPECT_EQ(job.error().message, "member " + std::to_string(raw(round.id(kDealer))) +
                                     " dealt another pre-shared value than it committed to");
  const auto found = round.server->evidence_against_dealers();
  ASSERT_EQ(found.size(), 1U);
  const auto finding = check_evidence(found[0], round.evidence_roster());
  ASSERT_TRUE(finding.ok()) << finding.error().message;
  EXPECT_EQ(finding->offender, round.id(kDealer));
  EXPECT_NE(finding->rule.find("in escrow"), std::string::npos) << finding->rule;
}

}  // namespace
}  // namespace sotto::secagg

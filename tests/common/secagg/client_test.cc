// What one honest member does and refuses, whatever the coordinator says
// (docs/secure-aggregation.md, 2.5 to 2.7).
#include "common/secagg/client/client.h"

#include <functional>

#include "common/crypto/aead.h"
#include "common/crypto/hash.h"
#include "tests/common/secagg/round_fixture.h"

namespace sotto::secagg {
namespace {

void expect_equal(const std::vector<encoding::RingVector>& a,
                  const std::vector<encoding::RingVector>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t lane = 0; lane < a.size(); ++lane)
    EXPECT_EQ(a[lane].words(), b[lane].words()) << "lane " << lane;
}

std::vector<wire::UnmaskResponse> answers(TestRound& round, const IndexSet& u2, const IndexSet& s,
                                          const IndexSet& responders) {
  std::vector<wire::UnmaskResponse> out;
  IndexSet signers(s.begin(), s.begin() + round.header.Q);
  for (std::uint32_t i : responders)
    out.push_back(round.clients[i].unmask(round.request(u2, s, signers)).value());
  return out;
}

// ---- honest rounds

TEST(SecAggClient, SumOverEverybodyIsExact) {
  for (std::uint32_t n : {3U, 4U, 5U, 10U}) {
    TestRound round(n);
    const IndexSet everybody = all_of(n);
    round.until_uploaded();
    round.endorse(everybody, everybody);
    expect_equal(round.open(everybody, everybody, answers(round, everybody, everybody, everybody)),
                 round.plain_sum(everybody));
  }
}

TEST(SecAggClient, SumOverSurvivorsIsExactWithADropoutAtEveryStage) {
  TestRound round(10);
  const IndexSet u1 = without(all_of(10), 0), v = without(u1, 3), u2 = without(v, 9);
  const IndexSet s = without(u2, 5);
  round.deal(u1);
  round.check(v);
  round.fix_u2(u2);
  round.upload(s);
  round.endorse(u2, s);
  IndexSet responders(s.begin(), s.begin() + round.header.t);
  expect_equal(round.open(u2, s, answers(round, u2, s, responders)), round.plain_sum(s));
}

TEST(SecAggClient, AnyTResponsesOpenTheSum) {
  TestRound round(5);
  const IndexSet u2 = all_of(5), s{0, 1, 3, 4};
  round.until_fixed();
  round.upload(s);
  round.endorse(u2, s);
  ASSERT_EQ(round.header.t, 3U);
  const auto all = answers(round, u2, s, s);
  for (std::size_t left_out = 0; left_out < 4; ++left_out) {
    auto some = all;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(left_out));
    expect_equal(round.open(u2, s, some), round.plain_sum(s));
  }
}

TEST(SecAggClient, AnUploadWithoutTheSharesLooksNothingLikeTheInput) {
  TestRound round(3);
  round.until_uploaded();
  const auto masked = round.masked_sum(all_of(3));
  const auto plain = round.plain_sum(all_of(3));
  for (std::size_t lane = 0; lane < plain.size(); ++lane)
    EXPECT_NE(masked[lane].words(), plain[lane].words());
}

TEST(SecAggClient, EveryMessageIsSignedOverTheRound) {
  TestRound round(4);
  round.until_uploaded();
  round.endorse(all_of(4), all_of(4));
  const auto& key = round.roster[1].verify_key;
  const Bytes32 other_h{9};
  EXPECT_TRUE(verify_advertise(key, round.h, round.m1[1]));
  EXPECT_FALSE(verify_advertise(key, other_h, round.m1[1]));
  for (const auto& entry : round.m3[1]->entries)
    EXPECT_TRUE(verify_share_entry(key, round.h, round.id(1), entry));
  EXPECT_TRUE(verify_share_check(key, round.h, *round.m4a[1]));
  EXPECT_TRUE(verify_upload(key, round.h, *round.m5[1]));
  EXPECT_FALSE(verify_upload(key, other_h, *round.m5[1]));
  const Bytes32 d_u2 = digest_u2(round.h, round.bits(all_of(4)));
  EXPECT_TRUE(verify_endorse(key, round.h, d_u2, round.d_s(all_of(4), all_of(4)), *round.m7[1]));
}

TEST(SecAggClient, TheEntryToOneselfCarriesCommitmentsOnly) {
  TestRound round(4);
  round.until_dealt();
  const wire::ShareEntry& own = round.entry(2, 2);
  EXPECT_EQ(own.nonce, crypto::Nonce{});
  EXPECT_EQ(own.ciphertext, (std::array<std::uint8_t, 80>{}));
  EXPECT_NE(own.cb, Bytes32{});
  EXPECT_NE(own.cr, Bytes32{});
}

TEST(SecAggClient, ShareEntriesAreSealedAsTheSpecificationSays) {
  // Section 2.5 written down a second time, from the holder's private key: drawn again from the
  // same stream, in the order b, r, encryption key.
  const TestRound world(3);
  crypto::StreamRandom dealer_random(5), holder_random(6), holder_again(6);
  Client dealer(world.header, Cohort(world.roster), world.id(0), world.keys[0], {},
                world.coordinator.verify_key(), dealer_random);
  Client holder(world.header, Cohort(world.roster), world.id(1), world.keys[1], {},
                world.coordinator.verify_key(), holder_random);
  crypto::random_scalar(holder_again);
  crypto::random_scalar(holder_again);
  const crypto::AgreementKey holder_key(crypto::Secret32::random(holder_again));
  ASSERT_EQ(holder_key.public_key(), holder.advertise().pk_enc);

  wire::KeyList m2{.u1 = world.bits(all_of(3)), .signature = {}, .advertisements = {}};
  m2.advertisements = {holder.advertise(), world.m1[2]};
  sign_key_list(world.coordinator, world.h, m2);
  const wire::ShareEntry entry = dealer.deal(m2, dealer_random).value().entries.at(1);

  ByteWriter direction, ad;
  direction.u32(10);
  direction.u32(20);
  const Bytes no_psk(32);
  const auto key = crypto::kdf(
      "SA1 senc", holder_key.agree(dealer.advertise().pk_enc).value(),
      {no_psk, pair_context(world.h, dealer.advertise(), holder.advertise()), direction.view()});
  ad.bytes(world.h);
  ad.bytes(direction.view());
  ad.u32(world.header.t);
  ad.bytes(entry.cb);
  ad.bytes(entry.cr);
  Bytes shares(64);
  ASSERT_TRUE(crypto::open(key, entry.nonce, entry.ciphertext, ad.view(), shares));
  const auto half = [&](std::size_t at) {
    return std::span<const std::uint8_t, 32>(shares.data() + at, 32);
  };
  EXPECT_EQ(commit_share(wire::ShareKind::kSelfMask, world.h, world.id(0), world.id(1), half(0)),
            entry.cb);
  EXPECT_EQ(commit_share(wire::ShareKind::kMaskKey, world.h, world.id(0), world.id(1), half(32)),
            entry.cr);
}

// ---- M2

struct SecAggClientAtKeyList : ::testing::Test {
  TestRound round{5};

  wire::KeyList honest() { return round.key_list(0, all_of(5)); }

  void resign(wire::KeyList& m2) { sign_key_list(round.coordinator, round.h, m2); }

  void refuses(const wire::KeyList& m2, const std::string& why) {
    expect_refused(round.clients[0].deal(m2, round.random), why);
  }
};

TEST_F(SecAggClientAtKeyList, RefusesAForgedAdvertisement) {
  auto m2 = honest();
  m2.advertisements[1].pk_mask = round.m1[0].pk_enc;
  refuses(m2, "member 30 is not signed by it");
}

TEST_F(SecAggClientAtKeyList, RefusesAdvertisementsSwappedBetweenIds) {
  auto m2 = honest();
  std::swap(m2.advertisements[0].id, m2.advertisements[1].id);
  refuses(m2, "in order");
  m2 = honest();
  std::swap(m2.advertisements[0], m2.advertisements[1]);
  std::swap(m2.advertisements[0].id, m2.advertisements[1].id);
  refuses(m2, "not signed");
}

TEST_F(SecAggClientAtKeyList, RefusesAListThatReplacesItsOwnKey) {
  auto m2 = honest();
  wire::Advertise own = round.m1[0];
  own.pk_mask = round.m1[1].pk_mask;
  m2.advertisements.insert(m2.advertisements.begin(), own);
  refuses(m2, "not one advertisement");
}

TEST_F(SecAggClientAtKeyList, RefusesAKeyOfLowOrder) {
  auto m2 = honest();
  m2.advertisements[0].pk_mask = {};  // the point 0
  sign_advertise(round.keys[1], round.h, m2.advertisements[0]);
  refuses(m2, "low order");
  m2 = honest();
  m2.advertisements[0].pk_enc = {1};
  sign_advertise(round.keys[1], round.h, m2.advertisements[0]);
  refuses(m2, "low order");
}

TEST_F(SecAggClientAtKeyList, RefusesOneKeyUnderTwoIds) {
  auto m2 = honest();
  m2.advertisements[0].pk_mask = m2.advertisements[2].pk_mask;
  sign_advertise(round.keys[1], round.h, m2.advertisements[0]);
  refuses(m2, "occurs twice");
  m2 = honest();
  m2.advertisements[3].pk_enc = round.m1[0].pk_enc;  // mine
  sign_advertise(round.keys[4], round.h, m2.advertisements[3]);
  refuses(m2, "occurs twice");
}

TEST_F(SecAggClientAtKeyList, RefusesAnAdvertisementOfAnotherHeader) {
  // different_model_hash_to_one: the other member saw another model, so another h.
  auto m2 = honest();
  sign_advertise(round.keys[1], Bytes32{7}, m2.advertisements[0]);
  refuses(m2, "not signed");
}

TEST_F(SecAggClientAtKeyList, RefusesU1TooSmallOrWithoutIt) {
  refuses(round.key_list(0, {0, 1, 2}), "3 members, at least 4");
  refuses(round.key_list(0, {1, 2, 3, 4}), "left out");
}

TEST_F(SecAggClientAtKeyList, RefusesAMissingARepeatedOrAForeignAdvertisement) {
  auto m2 = honest();
  m2.advertisements.pop_back();
  refuses(m2, "not one advertisement");
  m2 = honest();
  m2.advertisements[1] = m2.advertisements[0];
  refuses(m2, "in order");
  m2 = honest();
  m2.advertisements[1].id = MemberId{99};
  refuses(m2, "in order");
}

TEST_F(SecAggClientAtKeyList, RefusesABitmapOfAnotherShape) {
  auto m2 = honest();
  m2.u1 = {0x3f};  // bit 5 is spare
  resign(m2);
  expect_refused(round.clients[0].deal(m2, round.random), "M2 refused");
  m2.u1 = {0x1f, 0};
  resign(m2);
  expect_refused(round.clients[0].deal(m2, round.random), "M2 refused");
}

TEST_F(SecAggClientAtKeyList, RefusesAListThatTheCoordinatorDidNotSign) {
  auto m2 = honest();
  sign_key_list(round.keys[1], round.h, m2);
  refuses(m2, "signature");
  m2 = honest();
  sign_key_list(round.coordinator, Bytes32{7}, m2);
  refuses(m2, "signature");
}

// ---- M4

struct SecAggClientAtShares : ::testing::Test {
  TestRound round{5};

  SecAggClientAtShares() { round.until_dealt(); }

  /// M4 for member 0 with member 1's entry changed and signed again by member 1.
  wire::ShareForward with_entry(const std::function<void(wire::ShareEntry&)>& change) {
    auto m4 = round.forward(0, all_of(5));
    change(m4.entries[0].entry);
    sign_share_entry(round.keys[1], round.h, round.id(1), m4.entries[0].entry);
    return m4;
  }

  void complains_about_member_1(const wire::ShareForward& m4) {
    const auto m4a = round.clients[0].check_shares(m4);
    ASSERT_TRUE(m4a.ok()) << m4a.error().message;
    EXPECT_EQ(m4a->bad_dealers, round.bits({1}));
    EXPECT_TRUE(verify_share_check(round.roster[0].verify_key, round.h, *m4a));
    EXPECT_EQ(m4a->other_keys, round.bits({}));
    // It never masks with a dealer that has not opened what it complained about.
    expect_refused(round.clients[0].accept_u2(round.fix(all_of(5))), "not opened its bad share");
    EXPECT_TRUE(round.clients[0].accept_u2(round.fix({0, 2, 3, 4})).ok());
  }
};

TEST_F(SecAggClientAtShares, AcknowledgesGoodSharesWithoutComplaint) {
  const auto m4a = round.clients[0].check_shares(round.forward(0, all_of(5))).value();
  EXPECT_EQ(m4a.bad_dealers, round.bits({}));
  EXPECT_EQ(m4a.d_v, digest_v(round.h, round.bits(all_of(5))));
}

TEST_F(SecAggClientAtShares, ComplainsAboutABitThatWasFlipped) {
  complains_about_member_1(with_entry([](wire::ShareEntry& e) { e.ciphertext[3] ^= 1; }));
}

TEST_F(SecAggClientAtShares, ComplainsAboutAReflectedCiphertext) {
  // What member 0 sealed for member 1 comes back as if from member 1.
  const wire::ShareEntry mine = round.entry(0, 1);
  complains_about_member_1(with_entry([&](wire::ShareEntry& e) {
    e.nonce = mine.nonce;
    e.ciphertext = mine.ciphertext;
    e.cb = mine.cb;
    e.cr = mine.cr;
  }));
}

TEST_F(SecAggClientAtShares, ComplainsAboutACiphertextForAnotherHolder) {
  const wire::ShareEntry other = round.entry(1, 2);
  complains_about_member_1(with_entry([&](wire::ShareEntry& e) {
    e = other;
    e.to = MemberId{10};
  }));
}

TEST_F(SecAggClientAtShares, ComplainsAboutAShareFromAnOldRound) {
  const wire::ShareEntry old = round.entry(1, 0);
  round.header.round = RoundNumber::of(2, 0);
  round.join();
  round.until_dealt();
  complains_about_member_1(with_entry([&](wire::ShareEntry& e) { e = old; }));
}

TEST_F(SecAggClientAtShares, ComplainsAboutACommitmentThatDoesNotFit) {
  complains_about_member_1(with_entry([](wire::ShareEntry& e) { e.cb[0] ^= 1; }));
}

/// Member 0's complaints when member 1 deals it `shares`, sealed and signed correctly, with a
/// commitment to the second half in which `flip` bits are wrong. Member 1's private key is drawn a
/// second time.
wire::Bitmap complaints_about(const Bytes& shares, std::uint8_t flip) {
  crypto::StreamRandom dealer_random(5), again(5);
  crypto::random_scalar(again);
  crypto::random_scalar(again);
  const crypto::AgreementKey dealer_key(crypto::Secret32::random(again));
  TestRound round(5);
  round.clients[1] = Client(round.header, Cohort(round.roster), round.id(1), round.keys[1], {},
                            round.coordinator.verify_key(), dealer_random);
  round.m1[1] = round.clients[1].advertise();
  round.until_dealt();

  wire::ShareForward m4 = round.forward(0, all_of(5));
  wire::ShareEntry& entry = m4.entries[0].entry;
  const std::span<const std::uint8_t, 32> b(shares.data(), 32), r(shares.data() + 32, 32);
  entry.cb = commit_share(wire::ShareKind::kSelfMask, round.h, round.id(1), round.id(0), b);
  entry.cr = commit_share(wire::ShareKind::kMaskKey, round.h, round.id(1), round.id(0), r);
  entry.cr[0] = static_cast<std::uint8_t>(entry.cr[0] ^ flip);
  ByteWriter direction, ad;
  direction.u32(20);
  direction.u32(10);
  ad.bytes(round.h);
  ad.bytes(direction.view());
  ad.u32(round.header.t);
  ad.bytes(entry.cb);
  ad.bytes(entry.cr);
  const Bytes no_psk(32);
  const auto key =
      crypto::kdf("SA1 senc", dealer_key.agree(round.m1[0].pk_enc).value(),
                  {no_psk, pair_context(round.h, round.m1[0], round.m1[1]), direction.view()});
  std::ranges::copy(crypto::seal(key, entry.nonce, shares, ad.view()), entry.ciphertext.begin());
  sign_share_entry(round.keys[1], round.h, round.id(1), entry);
  return round.clients[0].check_shares(m4).value().bad_dealers;
}

TEST(SecAggClient, ComplainsAboutSharesThatOpenButAreNotTheCommittedOnes) {
  const wire::Bitmap nobody{0}, member_1{2};
  EXPECT_EQ(complaints_about(Bytes(64, 1), 0), nobody);
  EXPECT_EQ(complaints_about(Bytes(64, 1), 4), member_1);
}

TEST(SecAggClient, ComplainsAboutSharesThatAreNotCanonical) {
  Bytes shares(64, 1);
  shares[31] = 0xff;
  EXPECT_EQ(complaints_about(shares, 0), wire::Bitmap{2});
  shares[31] = 1;
  shares[63] = 0xff;
  EXPECT_EQ(complaints_about(shares, 0), wire::Bitmap{2});
}

TEST_F(SecAggClientAtShares, LeavesWhenADealersSignatureIsWrong) {
  auto m4 = round.forward(0, all_of(5));
  m4.entries[2].entry.ciphertext[0] ^= 1;
  expect_refused(round.clients[0].check_shares(m4), "member 40 is not signed");
}

TEST_F(SecAggClientAtShares, LeavesWhenTheListIsNotVForItself) {
  auto m4 = round.forward(0, all_of(5));
  std::swap(m4.entries[0], m4.entries[1]);
  expect_refused(round.clients[0].check_shares(m4), "in order");
  m4 = round.forward(0, all_of(5));
  m4.entries.pop_back();
  expect_refused(round.clients[0].check_shares(m4), "not one share");
  m4 = round.forward(0, all_of(5));
  m4.entries[0].entry = round.entry(1, 2);  // genuine, but for member 2
  expect_refused(round.clients[0].check_shares(m4), "in order");
}

TEST_F(SecAggClientAtShares, LeavesWhenVIsTooSmallWithoutItOrUnsigned) {
  expect_refused(round.clients[0].check_shares(round.forward(0, {0, 1, 2})), "at least 4");
  expect_refused(round.clients[0].check_shares(round.forward(0, {1, 2, 3, 4})), "left out");
  auto m4 = round.forward(0, all_of(5));
  m4.v = round.bits({0, 1, 2, 3});
  expect_refused(round.clients[0].check_shares(m4), "signature");
}

TEST(SecAggClient, RefusesVBeyondU1) {
  TestRound round(6);
  const IndexSet u1 = without(all_of(6), 5);
  round.deal(u1);
  auto m4 = round.forward(0, u1);
  m4.v = round.bits(all_of(6));
  sign_share_forward(round.coordinator, round.h, m4);
  expect_refused(round.clients[0].check_shares(m4), "not in the set before");
}

// ---- M4U

TEST(SecAggClient, RefusesU2TooSmallBeyondVWithoutItOrUnsigned) {
  TestRound round(6);
  const IndexSet v = without(all_of(6), 5);
  round.deal(all_of(6));
  round.check(v);
  expect_refused(round.clients[0].accept_u2(round.fix({0, 1, 2})), "3 members, at least 4");
  expect_refused(round.clients[0].accept_u2(round.fix(all_of(6))), "not in the set before");
  expect_refused(round.clients[0].accept_u2(round.fix({1, 2, 3, 4})), "left out");
  auto forged = round.fix(v);
  forged.u2 = round.bits({0, 1, 2, 3});
  expect_refused(round.clients[0].accept_u2(forged), "signature");
  EXPECT_TRUE(round.clients[0].accept_u2(round.fix(v)).ok());
}

// ---- M10

TEST(SecAggClient, AcceptsAResultOfTheCoordinatorForThisRoundOnly) {
  TestRound round(3);
  wire::RoundResult m10{};
  sign_result(round.coordinator, round.h, m10);
  EXPECT_TRUE(round.clients[0].accepts_result(m10));
  m10.status = wire::RoundStatus::kLost;
  EXPECT_FALSE(round.clients[0].accepts_result(m10));
  sign_result(round.coordinator, Bytes32{7}, m10);
  EXPECT_FALSE(round.clients[0].accepts_result(m10));
}

}  // namespace
}  // namespace sotto::secagg

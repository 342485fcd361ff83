// A participant's part in settling complaints (docs/secure-aggregation.md, "Bad shares"): what it
// takes to get a share of it opened, and what it takes from a dealer that opened one.
#include "tests/common/secagg/round_fixture.h"

namespace sotto::secagg {
namespace {

/// Seven members, C = 2. Member 1 deals to 0 what does not open; 4 and 5 lie about member 0.
struct ComplaintRound : ::testing::Test {
  TestRound round{7, 2};

  ComplaintRound() {
    round.until_dealt();
    for (wire::ShareEntry& entry : round.m3[1]->entries)
      if (entry.to == round.id(0)) {
        entry.ciphertext[3] ^= 1;
        sign_share_entry(round.keys[1], round.h, round.id(1), entry);
      }
    round.check(all_of(7));
    for (std::uint32_t liar : {4U, 5U})
      lie(liar, 0);
  }

  void lie(std::uint32_t liar, std::uint32_t about) {
    round.m4a[liar]->bad_dealers = round.bits({about});
    sign(liar);
  }

  void sign(std::uint32_t i) { sign_share_check(round.keys[i], round.h, *round.m4a[i]); }

  [[nodiscard]] wire::Complaints of(const IndexSet& holders) const {
    wire::Complaints m4b;
    for (std::uint32_t i : holders)
      m4b.checks.push_back(*round.m4a[i]);
    return m4b;
  }

  void refuses(const wire::Complaints& m4b, const std::string& why) {
    expect_refused(round.clients[0].open_shares(m4b), why);
  }

  /// Member 1 opens to 0 what it dealt.
  wire::Fix fix_with_opened() {
    wire::Fix m4u = round.fix(all_of(7));
    m4u.opened = round.clients[1].open_shares(of({0})).value().shares;
    m4u.opened[0].member = round.id(1);
    return m4u;
  }
};

TEST_F(ComplaintRound, OpensTheSharesOfThoseWhoComplainedAndNoOther) {
  const auto m4c = round.clients[0].open_shares(of({4, 5}));
  ASSERT_TRUE(m4c.ok()) << m4c.error().message;
  EXPECT_TRUE(verify_opening(round.roster[0].verify_key, round.h, *m4c));
  ASSERT_EQ(m4c->shares.size(), 2U);
  for (std::size_t at = 0; at < 2; ++at) {
    const wire::OpenedShare& opened = m4c->shares[at];
    const auto holder = static_cast<std::uint32_t>(4 + at);
    EXPECT_EQ(opened.member, round.id(holder));
    const wire::ShareEntry& entry = round.entry(0, holder);
    EXPECT_EQ(
        commit_share(wire::ShareKind::kSelfMask, round.h, round.id(0), opened.member, opened.b),
        entry.cb);
    EXPECT_EQ(
        commit_share(wire::ShareKind::kMaskKey, round.h, round.id(0), opened.member, opened.r),
        entry.cr);
  }
}

TEST_F(ComplaintRound, AComplaintThatItsHolderDidNotSignOpensNothing) {
  wire::Complaints invented = of({4});
  invented.checks[0].id = round.id(3);  // the coordinator writes another name
  refuses(invented, "not signed");
  invented = of({3});  // 3 complained about nobody
  refuses(invented, "does not name this member");
  invented.checks[0].bad_dealers = round.bits({0});
  refuses(invented, "not signed");
  sign_share_check(round.coordinator, round.h, invented.checks[0]);
  refuses(invented, "not signed");
  invented = of({0});
  refuses(invented, "no share of this one");
}

TEST_F(ComplaintRound, AComplaintOfAnotherRoundOpensNothing) {
  wire::Complaints old = of({4});
  sign_share_check(round.keys[4], Bytes32{7}, old.checks[0]);
  refuses(old, "not signed");
  old = of({4});
  old.checks[0].d_v[0] ^= 1;
  sign_share_check(round.keys[4], round.h, old.checks[0]);
  refuses(old, "another V");
}

TEST_F(ComplaintRound, OtherKeysAreNoReasonToOpenAShare) {
  std::swap(round.m4a[4]->bad_dealers, round.m4a[4]->other_keys);
  sign(4);
  refuses(of({4}), "does not name this member");
}

TEST_F(ComplaintRound, MoreThanCComplaintsOpenNothing) {
  lie(6, 0);
  refuses(of({4, 5, 6}), "at most 2 are opened");
  refuses(of({4, 4}), "distinct");
  refuses(of({5, 4}), "in order");
  EXPECT_TRUE(round.clients[0].open_shares(of({4, 5})).ok());
}

TEST_F(ComplaintRound, AMemberOutsideOfVOpensNothing) {
  TestRound other(7, 2);
  other.deal(all_of(7));
  other.check({0, 1, 2, 3, 4, 5});  // 6 is not in V
  wire::ShareCheck check = *other.m4a[5];
  check.id = other.id(6);
  check.bad_dealers = other.bits({0});
  sign_share_check(other.keys[6], other.h, check);
  expect_refused(other.clients[0].open_shares({.checks = {check}}), "no share of this one");
}

TEST_F(ComplaintRound, AnOpenedShareIsHeldLikeAnyOther) {
  ASSERT_EQ(round.m4a[0]->bad_dealers, round.bits({1}));
  const wire::Fix m4u = fix_with_opened();
  for (std::uint32_t i : all_of(7)) {
    const Status fixed = round.clients[i].accept_u2(i == 0 ? m4u : round.fix(all_of(7)));
    ASSERT_TRUE(fixed.ok()) << i << ": " << fixed.error().message;
  }
  round.upload(all_of(7));
  round.endorse(all_of(7), all_of(7));
  const auto certificate = round.request(all_of(7), all_of(7), all_of(7));
  std::vector<wire::UnmaskResponse> answers;
  for (std::uint32_t i : {0U, 2U, 3U, 6U})  // t, and 0 is one of them
    answers.push_back(round.clients[i].unmask(certificate).value());
  const auto opened = round.open(all_of(7), all_of(7), answers);
  const auto plain = round.plain_sum(all_of(7));
  for (std::size_t lane = 0; lane < plain.size(); ++lane)
    EXPECT_EQ(opened[lane].words(), plain[lane].words()) << lane;
}

TEST_F(ComplaintRound, AShareThatDoesNotFitOrIsMissingOrWasNotAskedForIsRefused) {
  const wire::Fix good = fix_with_opened();
  const auto refused_with = [&](auto change, const std::string& why) {
    wire::Fix m4u = good;
    change(m4u);
    expect_refused(round.clients[0].accept_u2(m4u), why);
  };
  refused_with([](wire::Fix& m) { m.opened[0].b[0] ^= 1; }, "not what it committed to");
  refused_with([](wire::Fix& m) { m.opened[0].r[0] ^= 1; }, "not what it committed to");
  refused_with([](wire::Fix& m) { m.opened[0].r.fill(0xff); }, "not what it committed to");
  refused_with([](wire::Fix& m) { m.opened.clear(); }, "not opened its bad share");
  refused_with([&](wire::Fix& m) { m.opened[0].member = round.id(2); }, "nobody asked for");
  refused_with([](wire::Fix& m) { m.opened[0].member = MemberId{999}; }, "nobody asked for");
  EXPECT_TRUE(round.clients[0].accept_u2(good).ok());
}

}  // namespace
}  // namespace sotto::secagg

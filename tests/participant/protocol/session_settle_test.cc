// When a session opens shares that members complained about (docs/secure-aggregation.md, "Bad
// shares"): once, at most C of them, and never after M4U.
#include "tests/participant/protocol/session_fixture.h"

namespace sotto::participant {
namespace {

struct SessionSettle : SessionTest {
  void until_checked() {
    serve_model(offer());
    deal();
    check();
  }

  /// Of members that complain about the session's shares, as they sign them.
  wire::Complaints of(const secagg::IndexSet& liars) {
    wire::Complaints m4b;
    for (std::uint32_t i : liars) {
      wire::ShareCheck check = *others.m4a[i];
      check.bad_dealers = others.bits({0});
      secagg::sign_share_check(others.keys[i], others.h, check);
      m4b.checks.push_back(check);
    }
    return m4b;
  }
};

TEST_F(SessionSettle, TheSameRequestGetsTheSameBytesAndAnotherOneNothing) {
  until_checked();
  const SessionOutput out = deliver(of({3}));
  ASSERT_EQ(sent<wire::Opening>(out).size(), 1U);
  EXPECT_TRUE(out.persist.empty()) << "it says nothing that the guard would have to know";
  EXPECT_TRUE(has_event(out, Kind::kSharesOpened));
  EXPECT_EQ(sent<wire::Opening>(deliver(of({3}))), sent<wire::Opening>(out));
  // Two holders would be two shares, and C is 1.
  const SessionOutput other = deliver(of({4}));
  EXPECT_TRUE(sent<wire::Opening>(other).empty());
  EXPECT_TRUE(has_event(other, Kind::kRejected));
  computed();
  SessionOutput fixed = fix();
  ASSERT_TRUE(fixed.mask) << "it stays in the round";
  EXPECT_EQ(sent<wire::UploadHeader>(masked(fixed)).size(), 1U);
}

TEST_F(SessionSettle, ARepetitionAfterM4UGetsTheSameBytesAndANewRequestNothing) {
  until_checked();
  const SessionOutput out = deliver(of({3}));
  fix();
  EXPECT_EQ(sent<wire::Opening>(deliver(of({3}))), sent<wire::Opening>(out));
  EXPECT_TRUE(sent<wire::Opening>(deliver(of({4}))).empty());
}

TEST_F(SessionSettle, NothingIsOpenedBeforeM4AOrAfterM4U) {
  serve_model(offer());
  deal();
  const auto everybody = secagg::all_of(kMembers);
  for (std::uint32_t i = 1; i < kMembers; ++i)
    others.m4a[i] = others.clients[i].check_shares(others.forward(i, everybody)).value();
  EXPECT_TRUE(has_event(deliver(of({3})), Kind::kRejected));
  deliver(others.forward(0, everybody));
  fix();
  const SessionOutput late = deliver(of({3}));
  EXPECT_TRUE(sent<wire::Opening>(late).empty());
  EXPECT_TRUE(has_event(late, Kind::kRejected));
}

TEST_F(SessionSettle, WhoAsksWithAnInventedComplaintOrForTooManyLosesTheMember) {
  for (const bool invented : {true, false}) {
    next_round(RoundNumber::of(1, invented ? 1 : 2));
    until_checked();
    wire::Complaints m4b = of(invented ? secagg::IndexSet{3} : secagg::IndexSet{3, 4});
    if (invented) secagg::sign_share_check(others.coordinator, others.h, m4b.checks[0]);
    const SessionOutput out = deliver(m4b);
    EXPECT_TRUE(sent<wire::Opening>(out).empty());
    EXPECT_EQ(sent<wire::LeaveRound>(out).size(), 1U);
    EXPECT_TRUE(has_event(out, Kind::kRoundLeft));
    EXPECT_FALSE(session->current_round());
  }
}

TEST_F(SessionSettle, AfterARestartItIsOutOfTheRoundAndOpensNothing) {
  until_checked();
  start(guard_that_joined());
  EXPECT_TRUE(sent<wire::Opening>(deliver(of({3}))).empty());
}

}  // namespace
}  // namespace sotto::participant

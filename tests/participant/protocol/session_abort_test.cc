// Burning a round at a participant (docs/secure-aggregation.md, 2.7 and 2.11).
#include "tests/participant/protocol/session_fixture.h"

namespace sotto::participant {
namespace {

using secagg::all_of;

struct SessionAbort : SessionTest {
  /// The guard as its file would have it after these outputs.
  void remember(const SessionOutput& out) {
    for (const GuardRecord& record : out.persist)
      written.apply(record);
  }

  void votes(const SessionOutput& out) const {
    const auto found = sent<wire::AbortVote>(out);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].id, others.id(0));
    EXPECT_TRUE(secagg::verify_abort_vote(others.keys[0].verify_key(), others.h, found[0]));
  }

  GuardState written;
};

struct SessionAbortAfter : SessionAbort, ::testing::WithParamInterface<int> {};

TEST_P(SessionAbortAfter, AVoteIsGivenAndEndsTheRound) {
  if (GetParam() > 0) serve_model(offer());
  if (GetParam() > 1) deal();
  if (GetParam() > 2) check();
  if (GetParam() > 3) computed();
  if (GetParam() > 4) fix();  // the site is masking
  const SessionOutput out = deliver(abort_request());
  votes(out);
  ASSERT_FALSE(out.persist.empty());
  EXPECT_EQ(out.persist.back().step, GuardStep::kVotedAbort);
  EXPECT_FALSE(session->current_round()) << "secrets are wiped at once";
}

INSTANTIATE_TEST_SUITE_P(EveryStateBeforeTheUpload, SessionAbortAfter, ::testing::Range(0, 6));

TEST_F(SessionAbort, AbortThenEndorse) {
  until_uploaded();
  const SessionOutput aborted = deliver(abort_request());
  votes(aborted);
  EXPECT_TRUE(sent<wire::Endorse>(deliver(others.survivors(all_of(5), all_of(5)))).empty());
  const auto served = sent<wire::BlobData>(deliver(wire::BlobRequest{others.m5[0]->hash_y, 0, 8}));
  EXPECT_EQ(served.at(0).total, 0U) << "y is wiped too";
}

TEST_F(SessionAbort, EndorseThenAbort) {
  until_uploaded();
  endorse();
  const SessionOutput out = deliver(abort_request());
  EXPECT_TRUE(out.send.empty());
  EXPECT_TRUE(out.persist.empty());
  EXPECT_TRUE(has_event(out, Kind::kRejected, "endorsed survivors"));
  EXPECT_TRUE(session->current_round()) << "the round goes on";
  EXPECT_EQ(sent<wire::UnmaskResponse>(deliver(certificate())).size(), 1U);
}

TEST_F(SessionAbort, ARestartedMemberMayVoteButNotOverItsEndorsement) {
  remember(offer());
  start(written);
  const SessionOutput voted = deliver(abort_request());
  votes(voted);
  remember(voted);
  start(written);
  votes(deliver(abort_request()));  // the same bytes again

  next_round(RoundNumber::of(2, 0));
  written = GuardState();
  start(written);
  remember(serve_model(offer()));
  GuardRecord record{.run = agreement.run,
                     .round = others.header.round,
                     .step = GuardStep::kJoined,
                     .h = others.h,
                     .d_u2 = {},
                     .hash_y = {},
                     .d_s = {}};
  written.apply(record);
  for (GuardStep step : {GuardStep::kUploaded, GuardStep::kEndorsed}) {
    record.step = step;
    written.apply(record);
  }
  start(written);
  EXPECT_TRUE(deliver(abort_request()).send.empty());
}

TEST_F(SessionAbort, ARoundThatWasNeverJoinedIsAbortedAndCannotBeJoined) {
  const SessionOutput out = deliver(abort_request());
  votes(out);
  ASSERT_EQ(out.persist.size(), 2U);
  EXPECT_EQ(out.persist[0].step, GuardStep::kJoined);
  EXPECT_EQ(out.persist[1].step, GuardStep::kVotedAbort);
  const SessionOutput offered = deliver(others.offer());
  EXPECT_TRUE(sent<wire::Advertise>(offered).empty());
  EXPECT_TRUE(has_event(offered, Kind::kRejected));
  next_round(RoundNumber::of(1, 1));
  EXPECT_EQ(sent<wire::Advertise>(deliver(others.offer())).size(), 1U) << "the next attempt";
}

TEST_F(SessionAbort, AVoteForALaterRoundClosesThePresentOne) {
  until_uploaded();
  next_round(RoundNumber::of(1, 1));
  votes(deliver(abort_request()));
  EXPECT_FALSE(session->current_round());
}

TEST_F(SessionAbort, NobodyVotesOverARoundThatIsOver) {
  offer();
  const wire::AbortRequest old = abort_request();
  next_round(RoundNumber::of(2, 0));
  offer();
  const SessionOutput out = deliver_about(old.header.round, old);
  EXPECT_TRUE(out.send.empty());
  EXPECT_TRUE(has_event(out, Kind::kRejected, "a later round was joined"));
  EXPECT_TRUE(session->current_round());
}

TEST_F(SessionAbort, ARequestThatIsNotThisRunsCoordinatorsIsRefused) {
  offer();
  const auto refuses = [&](const wire::AbortRequest& m6, const std::string& why) {
    const SessionOutput out = deliver(m6);
    EXPECT_TRUE(out.send.empty());
    EXPECT_TRUE(has_event(out, Kind::kRejected, why)) << why;
    EXPECT_TRUE(session->current_round());
  };
  auto forged = abort_request();
  forged.signature[1] ^= 1;
  refuses(forged, "bad signature");
  const auto with = [&](auto change) {
    auto m6 = abort_request();
    change(m6.header);
    secagg::sign_abort_request(others.coordinator, m6);
    return m6;
  };
  refuses(with([](auto& header) { header.run[0] ^= 1; }), "another run");
  refuses(with([](auto& header) { header.roster_hash[0] ^= 1; }), "another roster");
  refuses(with([](auto& header) { header.config_hash[0] ^= 1; }), "another job");
  refuses(with([](auto& header) { header.round = RoundNumber::of(99, 0); }), "no such round");
  refuses(with([](auto& header) { header.model_hash[0] ^= 1; }), "joined under another header");
}

TEST_F(SessionAbort, AVoteThatCannotBeRecordedDoesNotLeave) {
  until_uploaded();
  const SessionOutput out = deliver(abort_request());
  EXPECT_FALSE(out.persist.empty()) << "the driver drops the rest when this cannot be written";
  session->guard_failed(now);
  EXPECT_TRUE(deliver(abort_request()).send.empty());
}

// ---- the certificate

TEST_F(SessionAbort, TheCertificateIsTakenHoweverLateItComes) {
  until_uploaded();
  deliver(abort_request());
  deliver(result());
  now += agreement.max_round;
  session->tick(now);
  EXPECT_TRUE(has_event(deliver(abort_certificate({1, 2, 3, 4})), Kind::kFreed));
}

TEST_F(SessionAbort, AbortCertificateShort) {
  until_uploaded();
  deliver(abort_request());
  const SessionOutput out = deliver(abort_certificate({0, 1, 2}));
  EXPECT_TRUE(has_event(out, Kind::kRejected, "3 votes, but 4 are needed"));
  EXPECT_FALSE(has_event(out, Kind::kFreed));
}

TEST_F(SessionAbort, AbortCertificateOtherH) {
  until_uploaded();
  const RoundNumber number = others.header.round;
  others.header.model_hash[0] ^= 1;
  others.join();  // the same round under another header
  const SessionOutput out = deliver_about(number, abort_certificate({1, 2, 3, 4}));
  EXPECT_TRUE(has_event(out, Kind::kRejected, "bad signature"));
  EXPECT_FALSE(has_event(out, Kind::kFreed));
}

}  // namespace
}  // namespace sotto::participant

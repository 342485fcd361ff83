// What a session does when something fails: the link, the guard, the model, the site, the clock.
#include "tests/participant/protocol/session_fixture.h"

namespace sotto::participant {
namespace {

using secagg::all_of;

using SessionFailure = SessionTest;

bool silent(const SessionOutput& out) {
  return out.send.empty() && out.persist.empty() && !out.train && !out.mask;
}

TEST_F(SessionFailure, NothingLeavesAfterTheGuardCouldNotBeWritten) {
  offer();
  const SessionOutput failed = session->guard_failed(now);
  EXPECT_TRUE(silent(failed));
  EXPECT_TRUE(has_event(failed, Kind::kRoundLeft, "guard"));
  EXPECT_FALSE(session->current_round());
  EXPECT_TRUE(silent(deliver(others.key_list(0, all_of(5)))));
  EXPECT_TRUE(silent(session->reconnected(now)));
  EXPECT_TRUE(silent(session->tick(now + Duration{6000})));
  next_round(RoundNumber::of(2, 0));
  EXPECT_TRUE(silent(deliver(others.offer())));
}

// Killed while it trained, and there again a second later.
TEST_F(SessionFailure, ARestartedProcessSaysThatItIsNotInItsRoundAnyMore) {
  serve_model(offer());
  deal();
  check();
  const GuardState kept = guard_that_joined();
  const auto words_after_a_restart_in = [&](const wire::Message& message) {
    start(kept);
    const SessionOutput out = deliver(message);
    EXPECT_TRUE(out.persist.empty() && !out.train && !out.mask);
    EXPECT_EQ(out.send.size(), 1U) << wire::name_of(message);
    const auto left = sent<wire::LeaveRound>(out);
    return left.empty() ? std::string() : left[0].reason;
  };
  const std::string words = words_after_a_restart_in(others.fix(all_of(5)));
  EXPECT_EQ(words, "this site was restarted and does not take part in this round any more");
  EXPECT_EQ(words_after_a_restart_in(others.offer()), words) << "whatever phase it was";
  EXPECT_EQ(words_after_a_restart_in(others.key_list(0, all_of(5))), words);
  // Once a link: the coordinator announces a phase more than once.
  EXPECT_TRUE(silent(deliver(others.fix(all_of(5)))));
  EXPECT_TRUE(silent(session->reconnected(now)));
  EXPECT_EQ(sent<wire::LeaveRound>(deliver(others.fix(all_of(5)))).size(), 1U);
  // It still votes to abort the round, and joins the next one.
  EXPECT_EQ(sent<wire::AbortVote>(deliver(abort_request())).size(), 1U);
  next_round(RoundNumber::of(2, 0));
  EXPECT_EQ(sent<wire::Advertise>(deliver(others.offer())).size(), 1U);
}

TEST_F(SessionFailure, ARoundThatIsOverIsNotLeft) {
  start(guard_that_joined());
  EXPECT_TRUE(silent(deliver(result())));
  EXPECT_TRUE(silent(deliver(others.fix(all_of(5)))));
}

TEST_F(SessionFailure, SecretsAreHeldNoLongerThanMaxRound) {
  until_uploaded();
  now += agreement.max_round - Duration{1};
  session->tick(now);
  EXPECT_TRUE(session->current_round());
  now += Duration{1};
  const SessionOutput out = session->tick(now);
  EXPECT_TRUE(silent(out));
  EXPECT_TRUE(has_event(out, Kind::kRoundClosed, "longer"));
  EXPECT_TRUE(silent(deliver(others.survivors(all_of(5), all_of(5)))));
  EXPECT_TRUE(silent(deliver(others.offer())));  // deadline_extension_beyond_max_round
}

TEST_F(SessionFailure, MaxRoundHoldsAlsoWithoutATick) {
  until_uploaded();
  now += agreement.max_round;
  EXPECT_TRUE(silent(deliver(others.survivors(all_of(5), all_of(5)))));
}

TEST_F(SessionFailure, AnUnansweredMessageIsRepeatedUnchanged) {
  serve_model(offer());
  const SessionOutput dealt = deal();
  now += Duration{4999};
  EXPECT_TRUE(silent(session->tick(now)));
  now += Duration{1};
  const SessionOutput repeated = session->tick(now);
  EXPECT_EQ(sent<wire::Shares>(repeated), sent<wire::Shares>(dealt));
  EXPECT_EQ(repeated.wake_at, now + Duration{5000});
}

TEST_F(SessionFailure, NothingIsRepeatedWhileItIsTheSitesTurn) {
  serve_model(offer());
  deal();
  check();
  fix();
  now += Duration{20000};
  EXPECT_TRUE(silent(session->tick(now)));
}

TEST_F(SessionFailure, AReconnectionRepeatsTheLastMessageAndTheFetch) {
  const SessionOutput joined = offer();
  const SessionOutput out = session->reconnected(now);
  EXPECT_EQ(sent<wire::Advertise>(out), sent<wire::Advertise>(joined));
  EXPECT_EQ(sent<wire::BlobRequest>(out), sent<wire::BlobRequest>(joined));
  serve_model(out);
}

TEST_F(SessionFailure, AModelWithAnotherHashIsNotTrainedOn) {
  const SessionOutput joined = offer();
  model.values[0] += 1;
  const SessionOutput out = serve_model(joined);
  EXPECT_FALSE(out.train);
  EXPECT_EQ(sent<wire::LeaveRound>(out).size(), 1U);
  EXPECT_TRUE(has_event(out, Kind::kRoundLeft, "another hash"));
}

TEST_F(SessionFailure, AModelOfAnotherSizeIsNotTrainedOn) {
  model.layout[0].shape = {6};
  model.values.push_back(6);
  others.header.model_hash = model.hash();
  others.join();
  const SessionOutput out = serve_model(offer());
  EXPECT_FALSE(out.train);
  EXPECT_TRUE(has_event(out, Kind::kRoundLeft, "6 values, but the job has 5"));
}

TEST_F(SessionFailure, AModelWithAValueBeyondTheBoundIsRefusedBeforeAnyRecordIsLookedAt) {
  model.values[3] = 1.5F * kMaxParameterMagnitude;
  others.header.model_hash = model.hash();
  others.join();
  const SessionOutput out = serve_model(offer());
  EXPECT_FALSE(out.train);
  EXPECT_EQ(sent<wire::LeaveRound>(out).size(), 1U);
  EXPECT_TRUE(has_event(out, Kind::kRoundLeft, "magnitude above 2^20"));
}

TEST_F(SessionFailure, AModelAtTheBoundIsTrainedOn) {
  model.values[3] = -kMaxParameterMagnitude;
  others.header.model_hash = model.hash();
  others.join();
  EXPECT_TRUE(serve_model(offer()).train);
}

TEST_F(SessionFailure, LeavesWhenTheCoordinatorDoesNotHaveTheModel) {
  const auto request = sent<wire::BlobRequest>(offer()).at(0);
  const SessionOutput out = deliver(wire::absent(request));
  EXPECT_EQ(sent<wire::LeaveRound>(out).size(), 1U);
  EXPECT_FALSE(session->current_round());
}

TEST_F(SessionFailure, AComputationThatIsNotBegunLeavesWithoutSayingWhy) {
  serve_model(offer());
  const SessionOutput out =
      session->computed(others.header.round, Error{"patient 17 is malformed"}, now);
  ASSERT_EQ(sent<wire::LeaveRound>(out).size(), 1U);
  EXPECT_EQ(sent<wire::LeaveRound>(out)[0].reason.find("patient"), std::string::npos);
  EXPECT_TRUE(has_event(out, Kind::kRoundLeft, "patient 17"));
}

TEST_F(SessionFailure, WhatTheLedgerRefusesIsNotUploaded) {
  serve_model(offer());
  deal();
  check();
  computed();
  fix();
  const SessionOutput out = session->masked(others.header.round, Error{"the budget is spent"}, now);
  EXPECT_TRUE(out.persist.empty());
  EXPECT_TRUE(sent<wire::UploadHeader>(out).empty());
  EXPECT_EQ(sent<wire::LeaveRound>(out).size(), 1U);
}

TEST_F(SessionFailure, ResultsOfTheSiteForARoundThatIsOverAreDropped) {
  serve_model(offer());
  deal();
  check();
  computed();
  SessionOutput fixed = fix();
  const RoundNumber old = others.header.round;
  auto released = release(std::move(fixed.mask).value());
  next_round(RoundNumber::of(2, 0));
  offer();
  EXPECT_TRUE(silent(session->masked(old, std::move(released), now)));
  EXPECT_TRUE(silent(session->computed(old, Status(), now)));
  EXPECT_EQ(session->current_round(), others.header.round);
}

TEST_F(SessionFailure, ABadKeyListIsLeftWithAReason) {
  offer();
  auto m2 = others.key_list(0, all_of(5));
  m2.advertisements[0].pk_mask[3] ^= 1;
  const SessionOutput out = deliver(m2);
  ASSERT_EQ(sent<wire::LeaveRound>(out).size(), 1U);
  EXPECT_NE(sent<wire::LeaveRound>(out)[0].reason.find("member 20"), std::string::npos);
  EXPECT_FALSE(session->current_round());
}

TEST_F(SessionFailure, ABadShareListOrU2IsLeftBeforeAnythingIsUploaded) {
  serve_model(offer());
  deal();
  check();
  computed();
  const SessionOutput out = deliver(others.fix({0, 1, 2}));  // U2_too_small
  EXPECT_FALSE(out.mask);
  EXPECT_TRUE(has_event(out, Kind::kRoundLeft, "3 members, at least 4"));
}

TEST_F(SessionFailure, AForgedResultDoesNotCloseTheRound) {
  offer();
  wire::RoundResult m10 = result();
  m10.status = wire::RoundStatus::kLost;
  EXPECT_TRUE(has_event(deliver(m10), Kind::kRejected, "signature"));
  EXPECT_TRUE(session->current_round());
  secagg::sign_result(others.coordinator, others.h, m10);
  EXPECT_TRUE(has_event(deliver(m10), Kind::kRoundClosed, "lost"));
}

TEST_F(SessionFailure, OnlyThePublishedUploadIsServedAndOnlyInsideItsRange) {
  until_uploaded();
  const Bytes32 hash_y = others.m5[0]->hash_y;
  EXPECT_EQ(sent<wire::BlobData>(deliver(wire::BlobRequest{Bytes32{1}, 0, 8})).at(0).total, 0U);
  EXPECT_TRUE(silent(deliver(wire::BlobRequest{hash_y, 1000000, 8})));
  EXPECT_EQ(sent<wire::BlobData>(deliver(wire::BlobRequest{hash_y, 0, 8})).at(0).data.size(), 8U);
  endorse();  // from here on the coordinator has it whole
  EXPECT_EQ(sent<wire::BlobData>(deliver(wire::BlobRequest{hash_y, 0, 8})).at(0).total, 0U);
}

TEST_F(SessionFailure, NoUploadBeforeItsHeader) {
  serve_model(offer());
  deal();
  check();
  computed();
  fix();
  EXPECT_EQ(sent<wire::BlobData>(deliver(wire::BlobRequest{Bytes32{}, 0, 8})).at(0).total, 0U);
}

}  // namespace
}  // namespace sotto::participant

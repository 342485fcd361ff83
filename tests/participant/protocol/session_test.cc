// The participant's side of a round as the table of phases says it
// (docs/secure-aggregation.md, 2.7 and 2.11).
#include "tests/participant/protocol/session_fixture.h"

namespace sotto::participant {
namespace {

using secagg::all_of;

using Session = SessionTest;

GuardStep only_step(const SessionOutput& out) {
  EXPECT_EQ(out.persist.size(), 1U);
  return out.persist.at(0).step;
}

bool silent(const SessionOutput& out) {
  return out.send.empty() && out.persist.empty() && !out.train && !out.mask;
}

// ---- a round

TEST_F(Session, AWholeRoundGivesTheExactSum) {
  const SessionOutput uploaded = until_uploaded();
  const auto& header = *others.m5[0];
  const auto total = secagg::upload_bytes(others.header.lanes);
  for (std::uint64_t at = 0; at < total; at += 16) {  // pulled in ranges
    const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(16, total - at));
    const auto data = sent<wire::BlobData>(deliver(wire::BlobRequest{header.hash_y, at, length}));
    others.y[0].insert(others.y[0].end(), data.at(0).data.begin(), data.at(0).data.end());
  }
  EXPECT_EQ(secagg::hash_of_upload(others.h, others.id(0), others.header.lanes, others.y[0]),
            header.hash_y);
  endorse();
  std::vector<wire::UnmaskResponse> m9{sent<wire::UnmaskResponse>(deliver(certificate())).at(0)};
  for (std::uint32_t i : {1U, 2U})
    m9.push_back(others.clients[i].unmask(certificate()).value());
  const auto opened = others.open(all_of(5), all_of(5), m9);
  const auto plain = others.plain_sum(all_of(5));
  for (std::size_t lane = 0; lane < plain.size(); ++lane)
    EXPECT_EQ(opened[lane].words(), plain[lane].words());
  const SessionOutput closed = deliver(result());
  EXPECT_TRUE(has_event(closed, Kind::kRoundClosed, "done"));
  EXPECT_FALSE(session->current_round());
}

TEST_F(Session, EveryStepThatBindsIsPersistedInTheOutputThatSendsIt) {
  const SessionOutput joined = offer();
  EXPECT_EQ(only_step(joined), GuardStep::kJoined);
  EXPECT_EQ(joined.persist[0].h, others.h);
  EXPECT_EQ(sent<wire::Advertise>(joined).size(), 1U);
  serve_model(joined);
  EXPECT_TRUE(deal().persist.empty());
  EXPECT_TRUE(check().persist.empty());
  computed();
  SessionOutput fixed = fix();
  EXPECT_TRUE(fixed.persist.empty());
  const SessionOutput uploaded = masked(fixed);
  EXPECT_EQ(only_step(uploaded), GuardStep::kUploaded);
  others.m5[0] = sent<wire::UploadHeader>(uploaded).at(0);
  EXPECT_EQ(uploaded.persist[0].hash_y, others.m5[0]->hash_y);
  EXPECT_EQ(uploaded.persist[0].d_u2, others.m5[0]->d_u2);
  others.upload({1, 2, 3, 4});
  const SessionOutput endorsed = endorse();
  EXPECT_EQ(only_step(endorsed), GuardStep::kEndorsed);
  EXPECT_EQ(endorsed.persist[0].d_s, others.d_s(all_of(5), all_of(5)));
  const SessionOutput unmasked = deliver(certificate());
  EXPECT_EQ(only_step(unmasked), GuardStep::kUnmasked);
  EXPECT_EQ(sent<wire::UnmaskResponse>(unmasked).size(), 1U);
}

TEST_F(Session, TrainingBeginsWithTheModelWhileKeysAreExchanged) {
  const SessionOutput joined = offer();
  ASSERT_EQ(sent<wire::BlobRequest>(joined).size(), 1U);
  const SessionOutput out = serve_model(joined);
  ASSERT_TRUE(out.train.has_value());
  EXPECT_FALSE(out.train->evaluate_only);
  EXPECT_EQ(out.train->model->values, model.values);
  EXPECT_TRUE(has_event(out, Kind::kModelReceived));
}

TEST_F(Session, UploadsOnlyWhenBothU2AndTheComputationAreThere) {
  serve_model(offer());
  deal();
  check();
  EXPECT_TRUE(silent(fix()));
  EXPECT_TRUE(computed().mask.has_value());  // U2 first
  start(GuardState());
  next_round(RoundNumber::of(2, 0));
  serve_model(offer());
  deal();
  check();
  EXPECT_FALSE(computed().mask.has_value());
  EXPECT_TRUE(fix().mask.has_value());  // the computation first
}

TEST_F(Session, TheClosingRoundOnlyEvaluates) {
  others.header.lanes = encoding::lane_specs(agreement.encoding, 0, kMembers);
  next_round(RoundNumber::of(4, 0));
  EXPECT_TRUE(serve_model(offer()).train->evaluate_only);
}

// ---- offers

TEST_F(Session, RefusesRoundsThatTheJobDoesNotHave) {
  for (RoundNumber round : {RoundNumber{7}, RoundNumber::of(5, 0)}) {
    next_round(round);
    const SessionOutput out = deliver(others.offer());
    EXPECT_TRUE(silent(out));
    EXPECT_TRUE(has_event(out, Kind::kRejected, "no such round"));
  }
}

TEST_F(Session, RefusesAnOldRoundNumberAndTheSameRoundAgain) {
  const SessionOutput joined = offer();
  GuardState guard;
  guard.apply(joined.persist.at(0));
  start(guard);  // participant_restart: secrets are gone, the guard is not
  const SessionOutput again = deliver(others.offer());
  EXPECT_TRUE(sent<wire::Advertise>(again).empty() && again.persist.empty());
  EXPECT_EQ(sent<wire::LeaveRound>(again).size(), 1U) << "nobody needs to wait for it";
  guard.apply({.run = agreement.run,
               .round = RoundNumber::of(1, 1),
               .step = GuardStep::kJoined,
               .h = {},
               .d_u2 = {},
               .hash_y = {},
               .d_s = {},
               .input = {}});
  start(guard);
  const SessionOutput older = deliver(others.offer());
  EXPECT_TRUE(sent<wire::Advertise>(older).empty() && older.persist.empty());
  EXPECT_TRUE(has_event(older, Kind::kRejected, "not later"));
  ASSERT_EQ(sent<wire::LeaveRound>(older).size(), 1U);
  EXPECT_NE(sent<wire::LeaveRound>(older)[0].reason.find("from a backup"), std::string::npos);
  next_round(RoundNumber::of(1, 2));
  EXPECT_FALSE(silent(deliver(others.offer())));
}

TEST_F(Session, RefusesASizeOfCohortThatTheRosterCannotHave) {
  for (std::uint32_t n : {0U, 1U, 6U, 0xffffffffU}) {
    wire::Offer m0 = others.offer();
    m0.header.n = n;
    secagg::sign_offer(others.coordinator, m0);
    EXPECT_TRUE(silent(deliver(m0)));
  }
}

TEST_F(Session, RefusesAnOfferBelowThePolicy) {
  agreement.min_colluders = 2;
  start(GuardState());
  EXPECT_TRUE(has_event(deliver(others.offer()), Kind::kRejected, "this site requires 2"));
  EXPECT_FALSE(session->current_round());
}

TEST_F(Session, AnEqualOfferWithLongerDeadlinesIsAnsweredByTheLastMessage) {
  serve_model(offer());
  const SessionOutput dealt = deal();
  wire::Offer m0 = others.offer();
  m0.deadline_ms[3] = 99999;
  EXPECT_TRUE(silent(deliver(m0)));  // not signed
  secagg::sign_offer(others.coordinator, m0);
  const SessionOutput out = deliver(m0);
  EXPECT_TRUE(out.persist.empty());
  ASSERT_EQ(out.send.size(), 1U);
  EXPECT_EQ(sent<wire::Shares>(out), sent<wire::Shares>(dealt));
}

TEST_F(Session, AnotherHeaderForTheSameRoundIsRefused) {
  offer();
  others.header.model_hash[0] ^= 1;
  const SessionOutput out = deliver(others.offer());
  EXPECT_TRUE(silent(out));
  EXPECT_TRUE(has_event(out, Kind::kRejected, "not later"));
}

TEST_F(Session, AnOfferOfALaterRoundClosesThePresentOneInAnyPhase) {
  until_uploaded();
  const Bytes32 hash_y = others.m5[0]->hash_y;
  next_round(RoundNumber::of(2, 0));
  const SessionOutput out = offer();
  EXPECT_TRUE(has_event(out, Kind::kRoundClosed, "later round"));
  EXPECT_EQ(session->current_round(), RoundNumber::of(2, 0));
  const auto data = sent<wire::BlobData>(deliver(wire::BlobRequest{hash_y, 0, 8}));
  EXPECT_EQ(data.at(0).total, 0U);  // y went with its round
}

TEST_F(Session, ABadOfferOfALaterRoundLeavesThePresentOneAlone) {
  offer();
  const RoundNumber present = others.header.round;
  wire::Offer later = others.offer();
  later.header.round = RoundNumber::of(2, 0);  // not signed again
  EXPECT_TRUE(silent(deliver(later)));
  EXPECT_EQ(session->current_round(), present);
}

TEST_F(Session, KeysAreFreshInEveryRound) {
  offer();
  const wire::Advertise first = others.m1[0];
  next_round(RoundNumber::of(2, 0));
  offer();
  EXPECT_NE(first.pk_enc, others.m1[0].pk_enc);
  EXPECT_NE(first.pk_mask, others.m1[0].pk_mask);
  EXPECT_NE(first.cm_b, others.m1[0].cm_b);
}

// ---- counters once a server round

TEST_F(Session, AnEndorsedAttemptIsFollowedByOnesWithoutCountersAlone) {
  until_uploaded();
  endorse();
  next_round(RoundNumber::of(1, 1));
  EXPECT_TRUE(has_event(deliver(others.offer()), Kind::kRejected, "counters of this server round"));
  others.header.lanes = encoding::lane_specs(encoding::without_metrics(agreement.encoding),
                                             agreement.parameters, kMembers);
  next_round(RoundNumber::of(1, 2));
  serve_model(offer());
  deal();
  check();
  computed();
  const SessionOutput fixed = fix();
  ASSERT_TRUE(fixed.mask.has_value());
  EXPECT_TRUE(fixed.mask->encoding.metrics.empty());
}

TEST_F(Session, AnAttemptThatWasNotEndorsedIsFollowedByOneWithCounters) {
  until_uploaded();
  next_round(RoundNumber::of(1, 1));
  EXPECT_FALSE(silent(deliver(others.offer())));
}

TEST_F(Session, TheClosingEvaluationIsEndorsedOnce) {
  GuardState guard;
  for (GuardStep step : {GuardStep::kJoined, GuardStep::kUploaded, GuardStep::kEndorsed})
    guard.apply({.run = agreement.run, .round = RoundNumber::of(4, 0), .step = step, .h = {1}});
  start(guard);
  for (const encoding::EncodingSpec& form :
       {agreement.encoding, encoding::without_metrics(agreement.encoding)}) {
    others.header.lanes = encoding::lane_specs(form, 0, kMembers);
    next_round(RoundNumber::of(4, 1));
    EXPECT_TRUE(silent(deliver(others.offer())));
  }
}

/// The job says how much noise a sum has; a member's share follows from the cohort.
TEST_F(Session, TheRoundsOwnShareOfTheNoiseOnCountersGoesWithTheWork) {
  agreement.encoding.metric_noise = {{.step = 4, .unknown_variance = 300U << 16}};
  start(GuardState());
  serve_model(offer());
  deal();
  check();
  computed();
  const SessionOutput fixed = fix();
  ASSERT_TRUE(fixed.mask && fixed.mask->encoding.metric_noise.size() == 1);
  EXPECT_EQ(fixed.mask->encoding.metric_noise[0].step, 4U);
  EXPECT_EQ(fixed.mask->encoding.metric_noise[0].variance, 100U << 16)
      << "four in the smallest sum, one of them colludes";
}

// ---- same bytes or none

TEST_F(Session, ARepeatedMessageIsAnsweredWithTheSameBytes) {
  serve_model(offer());
  const auto everybody = all_of(5);
  const auto repeats = [&](const wire::Message& message, const SessionOutput& first) {
    const SessionOutput again = deliver(message);
    EXPECT_TRUE(has_event(again, Kind::kIgnored, "repeated"));
    EXPECT_TRUE(again.persist.empty());
    ASSERT_EQ(again.send.size(), 1U);
    EXPECT_EQ(again.send[0].message, first.send.at(0).message);
  };
  const SessionOutput dealt = deal();
  repeats(others.key_list(0, everybody), dealt);
  const SessionOutput checked = check();
  repeats(others.forward(0, everybody), checked);
  repeats(others.key_list(0, everybody), dealt);  // also later
  computed();
  SessionOutput fixed = fix();
  EXPECT_TRUE(silent(deliver(others.fix(everybody))));  // no answer yet
  const SessionOutput uploaded = masked(fixed);
  repeats(others.fix(everybody), uploaded);
  others.m5[0] = sent<wire::UploadHeader>(uploaded).at(0);
  others.upload({1, 2, 3, 4});
  const SessionOutput endorsed = endorse();
  repeats(others.survivors(everybody, everybody), endorsed);
  const SessionOutput unmasked = deliver(certificate());
  repeats(certificate(), unmasked);
}

TEST_F(Session, AChangedMessageOfAnAcceptedKindIsRefused) {
  serve_model(offer());
  const auto refuses = [&](const wire::Message& message) {
    const SessionOutput out = deliver(message);
    EXPECT_TRUE(silent(out));
    EXPECT_TRUE(has_event(out, Kind::kRejected, "differs"));
  };
  deal();
  refuses(others.key_list(0, {0, 1, 2, 3}));
  check();
  refuses(others.forward(0, {0, 1, 2, 3}));
  computed();
  SessionOutput fixed = fix();
  refuses(others.fix({0, 1, 2, 3}));  // second_U2_same_round
  const SessionOutput uploaded = masked(fixed);
  refuses(others.fix({0, 1, 2, 3}));
  others.m5[0] = sent<wire::UploadHeader>(uploaded).at(0);
  others.upload({1, 2, 3, 4});
  endorse();
  refuses(others.survivors(all_of(5), {0, 1, 2, 3}));  // second_S_same_round
  const wire::UnmaskRequest first = certificate();
  deliver(first);
  wire::UnmaskRequest second = first;
  second.certificate.pop_back();
  refuses(second);
}

TEST_F(Session, AMessageBeforeItsPhaseIsRefused) {
  offer();
  for (const wire::Message& message :
       {wire::Message(others.fix(all_of(5))), wire::Message(others.survivors(all_of(5), all_of(5))),
        wire::Message(wire::UnmaskRequest{}), wire::Message(wire::ShareForward{}),
        wire::Message(wire::Endorse{})}) {
    const SessionOutput out = deliver(message);
    EXPECT_TRUE(silent(out));
    EXPECT_TRUE(has_event(out, Kind::kRejected, "not expected"));
  }
}

TEST_F(Session, MessagesAboutOtherRoundsChangeNothing) {
  offer();
  const auto m2 = others.key_list(0, all_of(5));
  EXPECT_TRUE(has_event(deliver_about(RoundNumber::of(0, 9), m2), Kind::kIgnored));
  EXPECT_TRUE(has_event(deliver_about(RoundNumber::of(2, 0), m2), Kind::kRejected));
  start(GuardState());
  EXPECT_TRUE(has_event(deliver(m2), Kind::kIgnored));
}

TEST_F(Session, OnlyTheCoordinatorIsHeard) {
  const SessionOutput out =
      session->handle({MemberId{20}, others.header.round, others.offer()}, now);
  EXPECT_TRUE(silent(out));
  EXPECT_TRUE(has_event(out, Kind::kRejected, "a message did not come from the coordinator"));
}

TEST_F(Session, ARefusedSurvivorSetKeepsTheUploadAndSaysNothing) {
  until_uploaded();
  const SessionOutput out = deliver(others.survivors(all_of(5), {1, 2, 3, 4}));
  EXPECT_TRUE(silent(out));
  EXPECT_TRUE(has_event(out, Kind::kRejected, "left out"));
  EXPECT_EQ(only_step(endorse()), GuardStep::kEndorsed);
}

TEST_F(Session, ACertificateOneShortRevealsNothing) {
  until_uploaded();
  endorse();
  wire::UnmaskRequest m8 = certificate();
  m8.certificate.pop_back();
  EXPECT_TRUE(silent(deliver(m8)));
  EXPECT_EQ(only_step(deliver(certificate())), GuardStep::kUnmasked);
}

}  // namespace
}  // namespace sotto::participant

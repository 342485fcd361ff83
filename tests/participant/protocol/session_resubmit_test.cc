// An input that left is never submitted again, unless its round is provably aborted
// (docs/secure-aggregation.md, 2.7).
#include "tests/participant/protocol/session_fixture.h"

namespace sotto::participant {
namespace {

struct SessionResubmit : SessionTest {
  static constexpr RoundNumber kNextAttempt = RoundNumber::of(1, 1);

  /// The session's part of an attempt up to its upload, with the input it has.
  SessionOutput upload_again() {
    offer();
    deal();
    check();
    SessionOutput fixed = fix();
    EXPECT_TRUE(fixed.mask) << "no training was needed";
    if (!fixed.mask) return {};
    again = fixed.mask->input;
    return masked(fixed);
  }

  /// One attempt, in which the input `first` left.
  void upload() {
    serve_model(offer());
    deal();
    check();
    computed();
    SessionOutput fixed = fix();
    first = fixed.mask->input;
    const SessionOutput out = masked(fixed);
    ASSERT_EQ(out.persist.size(), 1U);
    EXPECT_EQ(out.persist[0].input, first);
    EXPECT_NE(first, InputId{});
  }

  /// The next attempt needs another training. It carries no counters, so that it is joined also
  /// after an endorsement.
  [[nodiscard]] bool trains_again() {
    others.header.lanes = encoding::lane_specs(encoding::without_metrics(agreement.encoding),
                                               agreement.parameters, kMembers);
    next_round(kNextAttempt);
    const SessionOutput joined = offer();
    return !sent<wire::BlobRequest>(joined).empty() && serve_model(joined).train.has_value();
  }

  wire::RoundResult aborted() {
    wire::RoundResult m10;
    m10.status = wire::RoundStatus::kAborted;
    secagg::sign_result(others.coordinator, others.h, m10);
    return m10;
  }

  InputId first{}, again{};
};

TEST_F(SessionResubmit, ResubmitAfterUploadIsRefusedWithoutACertificate) {
  upload();
  deliver(abort_request());
  EXPECT_TRUE(trains_again());
  deal();
  check();
  computed();
  EXPECT_NE(fix().mask->input, first) << "another training is another input";
}

TEST_F(SessionResubmit, StatusAbortedAloneFreesNothing) {
  upload();
  deliver(abort_request());
  deliver(aborted());
  EXPECT_TRUE(trains_again());
}

TEST_F(SessionResubmit, AShortCertificateOrOneOverAnotherHeaderFreesNothing) {
  upload();
  deliver(abort_request());
  deliver(abort_certificate({1, 2, 3}));
  const Bytes32 h = others.h;
  others.h[1] ^= 1;
  deliver(abort_certificate({1, 2, 3, 4}));
  others.h = h;
  EXPECT_TRUE(trains_again());
}

TEST_F(SessionResubmit, ResubmitAfterUploadIsAllowedWithACertificateAndChargedOnce) {
  upload();
  deliver(abort_request());
  const SessionOutput freed = deliver(abort_certificate({0, 1, 2, 4}));
  ASSERT_EQ(freed.persist.size(), 1U);
  EXPECT_EQ(freed.persist[0].step, GuardStep::kFreed);
  EXPECT_EQ(freed.persist[0].input, first);
  next_round(kNextAttempt);
  const SessionOutput out = upload_again();
  EXPECT_EQ(again, first);
  ASSERT_EQ(sent<wire::UploadHeader>(out).size(), 1U);
  EXPECT_EQ(out.persist.at(0).input, first);
  EXPECT_EQ(ledger->entries("d", 1e-5)->size(), 2U) << "one a release, the second without a cost";
  // It has left again: another certificate is needed, for this attempt.
  deliver(abort_request());
  EXPECT_TRUE(has_event(deliver_about(RoundNumber::of(1, 0), abort_certificate({0, 1, 2, 4})),
                        Kind::kIgnored));
}

TEST_F(SessionResubmit, ACancelledAttemptGivesItsInputBack) {
  serve_model(offer());
  computed();
  deliver(result());  // before anything was uploaded
  next_round(kNextAttempt);
  const SessionOutput joined = deliver(others.offer());
  EXPECT_TRUE(sent<wire::BlobRequest>(joined).empty()) << "the model is not needed again";
  EXPECT_TRUE(has_event(joined, Kind::kRoundJoined, "earlier attempt"));
}

TEST_F(SessionResubmit, AnInputIsUsedForItsOwnServerRoundAndModelAlone) {
  serve_model(offer());
  computed();
  next_round(RoundNumber::of(2, 0));
  EXPECT_FALSE(sent<wire::BlobRequest>(deliver(others.offer())).empty());
  start(GuardState());
  next_round(RoundNumber::of(1, 0));
  serve_model(offer());
  computed();
  model.values[0] += 1;
  others.header.model_hash = model.hash();
  next_round(kNextAttempt);
  EXPECT_FALSE(sent<wire::BlobRequest>(deliver(others.offer())).empty());
}

TEST_F(SessionResubmit, ASurvivorCertificateEndsTheUseOfAnInput) {
  until_uploaded();
  EXPECT_FALSE(endorse().input_spent);
  EXPECT_TRUE(deliver(certificate()).input_spent);
  EXPECT_TRUE(trains_again());
}

TEST_F(SessionResubmit, WhatTheSiteCouldNotReleaseIsNotTriedAgain) {
  serve_model(offer());
  deal();
  check();
  computed();
  fix();
  session->masked(others.header.round, Error{"a value is not finite"}, now);
  EXPECT_TRUE(trains_again());
}

}  // namespace
}  // namespace sotto::participant

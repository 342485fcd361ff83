// Offers of rounds with noise inside the sum (docs/secure-aggregation.md, 4): what a participant
// insists on, and what it is told to draw.
#include "common/secagg/shared/noisy_round.h"
#include "tests/participant/protocol/session_fixture.h"

namespace sotto::participant {
namespace {

struct SessionNoise : SessionTest {
  void SetUp() override {
    SessionTest::SetUp();
    agreement.noise = encoding::NoiseTerms{
        .values = model.values.size(), .clipping_norm = 1, .noise_multiplier = 2};
    agreement.graph.dropout_percent = 20;  // 4 of 5 make a sum
    propose(round_for(agreement));
    start(GuardState());
  }

  [[nodiscard]] secagg::RoundEncoding round_for(const Agreement& terms) const {
    return secagg::round_encoding(terms.encoding, terms.noise, terms.graph,
                                  {.n = kMembers, .C = others.header.C})
        .value();
  }

  /// The coordinator's header says so.
  void propose(const secagg::RoundEncoding& round) {
    others.header.s_min = round.s_min;
    others.header.lanes = encoding::lane_specs(round.spec, agreement.parameters, kMembers);
    others.join();
  }

  SessionOutput until_masking() {
    serve_model(offer());
    deal();
    check();
    computed();
    return fix();
  }
};

TEST_F(SessionNoise, TheRoundsOwnNoiseGoesWithTheWork) {
  const SessionOutput asked = offer();
  const SessionOutput served = serve_model(asked);
  const auto expected = round_for(agreement);
  EXPECT_EQ(expected.s_min, 4U);
  ASSERT_TRUE(served.train && served.train->noise);
  EXPECT_EQ(*served.train->noise, expected.spec.noise->round);
  EXPECT_EQ(served.train->noise->unknown_noises, 3U) << "four survivors less one colluder";
  deal();
  check();
  computed();
  const SessionOutput fixed = fix();
  ASSERT_TRUE(fixed.mask && fixed.mask->encoding.noise);
  EXPECT_EQ(fixed.mask->encoding.noise->round, expected.spec.noise->round);
}

TEST_F(SessionNoise, AnUpdateThatIsBeingChargedIsNotUsedUnderAnotherNoise) {
  const InputId input = until_masking().mask->input;
  // The next attempt comes while masks and charge of this one are still computed, with another C.
  next_round(RoundNumber::of(1, 1));
  others.header.C = 2;
  const auto thresholds = secagg::complete_graph_thresholds(kMembers, 2).value();
  others.header.t = thresholds.t;
  others.header.Q = thresholds.Q;
  propose(round_for(agreement));
  const SessionOutput joined = offer();
  ASSERT_TRUE(session->current_round());
  EXPECT_FALSE(has_event(joined, Kind::kRoundJoined, "earlier attempt is used"));
  serve_model(joined);
  deal();
  check();
  computed();
  const SessionOutput again = fix();
  ASSERT_TRUE(again.mask);
  EXPECT_NE(again.mask->input, input) << "it was trained anew and is charged anew";
}

TEST_F(SessionNoise, AClosingEvaluationHasNone) {
  others.header.lanes = encoding::lane_specs(agreement.encoding, 0, kMembers);
  next_round(RoundNumber::of(4, 0));
  EXPECT_FALSE(serve_model(offer()).train->noise.has_value());
}

TEST_F(SessionNoise, RefusesSumsOfFewerThanTheNoiseIsMadeFor) {
  agreement.graph.dropout_percent = 10;
  start(GuardState());
  propose({.s_min = 4, .spec = round_for(agreement).spec});
  EXPECT_TRUE(has_event(deliver(others.offer()), Kind::kRejected, "at least 5 is demanded"));
  EXPECT_FALSE(session->current_round());
}

TEST_F(SessionNoise, RefusesLanesOfLessNoise) {
  Agreement less = agreement;
  less.noise->noise_multiplier = 0.01;
  propose(round_for(less));
  EXPECT_TRUE(has_event(deliver(others.offer()), Kind::kRejected, "do not follow from the job"));
}

TEST_F(SessionNoise, RefusesLanesWithoutNoise) {
  others.header.lanes = encoding::lane_specs(agreement.encoding, agreement.parameters, kMembers);
  others.join();
  EXPECT_TRUE(has_event(deliver(others.offer()), Kind::kRejected, "do not follow from the job"));
}

TEST_F(SessionNoise, RefusesACohortThatNoNoiseCanBeMadeFor) {
  agreement.noise->noise_multiplier = 1e-9;
  start(GuardState());
  EXPECT_TRUE(has_event(deliver(others.offer()), Kind::kRejected, "ring"));
}

// An aborted round frees the update for the noise that was charged with it; another cohort's would
// be for nothing (a smaller cohort could otherwise be had without its price).
TEST_F(SessionNoise, AnUpdateThatWasChargedIsUsedAgainUnderTheSameNoiseAlone) {
  for (const bool same : {true, false}) {
    propose(round_for(agreement));
    next_round(same ? RoundNumber::of(1, 0) : RoundNumber::of(2, 0));
    SessionOutput fixed = until_masking();
    ASSERT_TRUE(fixed.mask);
    ASSERT_EQ(masked(fixed).persist.size(), 1U);
    deliver(abort_request());
    deliver(abort_certificate({0, 1, 2, 3}));
    next_round(same ? RoundNumber::of(1, 1) : RoundNumber::of(2, 1));
    if (!same) {
      // One more colluder: the same cohort, less unknown noise.
      others.header.C = 2;
      const auto thresholds = secagg::complete_graph_thresholds(kMembers, 2).value();
      others.header.t = thresholds.t;
      others.header.Q = thresholds.Q;
      propose(round_for(agreement));
    }
    const SessionOutput joined = offer();
    EXPECT_EQ(has_event(joined, Kind::kRoundJoined, "earlier attempt is used"), same);
    EXPECT_TRUE(session->current_round());
  }
}

}  // namespace
}  // namespace sotto::participant

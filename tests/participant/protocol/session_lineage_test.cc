// A session whose site makes the models by itself (docs/secure-aggregation.md, 2.8): nothing but
// sums is asked for, and weights that do not follow from them are never trained on.
#include "common/privacy/mechanisms/clip.h"
#include "tests/participant/protocol/session_fixture.h"

namespace sotto::participant {
namespace {

struct SessionLineage : SessionTest {
  void SetUp() override {
    SessionTest::SetUp();
    agreement.lineage =
        LineageTerms{.optimizer = {}, .first = std::make_shared<const FlatParameters>(model)};
    start(GuardState());
  }

  /// The sum of server round 1, in which every member moved every value by 0.5.
  secagg::PublishedSum first_sum() {
    secagg::PublishedSum out{.server_round = 1,
                             .h = others.h,
                             .size = {.n = kMembers, .C = 1},
                             .survivors = kMembers,
                             .packed = {}};
    auto sum = encoding::RingUpdate::zeros(others.header.lanes);
    for (std::uint32_t i = 0; i < kMembers; ++i) {
      auto update = clip(FlatUpdate(std::vector<float>(model.values.size(), 0.5F)), 100).value();
      EXPECT_TRUE(sum.add_packed(encoding::encode(agreement.encoding, others.header.lanes, out.h,
                                                  std::move(update), {.weight = 1, .metrics = {1}},
                                                  others.random)
                                     ->pack())
                      .ok());
    }
    out.packed = sum.pack();
    ServerOptimizer optimizer({}, model.values.size());
    next_model.values =
        encoding::step_by_mean(optimizer, model.values,
                               encoding::decode_sum(agreement.encoding, others.header.lanes, out.h,
                                                    std::move(sum), out.survivors)
                                   .value());
    return out;
  }

  /// Server round 2, on a model of this hash.
  SessionOutput offer_second(const Bytes32& model_hash) {
    others.header.model_hash = model_hash;
    next_round(RoundNumber::of(2, 0));
    return offer();
  }

  SessionOutput serve(const SessionOutput& asked, BytesView blob) {
    return deliver(wire::answer(sent<wire::BlobRequest>(asked).at(0), blob).value());
  }

  FlatParameters next_model = test_model();
};

TEST_F(SessionLineage, TheFirstModelIsNotEvenAskedFor) {
  const SessionOutput out = offer();
  EXPECT_TRUE(sent<wire::BlobRequest>(out).empty());
  ASSERT_TRUE(out.train);
  EXPECT_EQ(out.train->model->values, model.values);
}

TEST_F(SessionLineage, AFirstModelOfTheCoordinatorsChoiceIsNeverTrainedOn) {
  others.header.model_hash = next_model.hash();
  others.header.model_hash[0] ^= 1;
  others.join();
  const SessionOutput out = deliver(others.offer());
  EXPECT_TRUE(sent<wire::BlobRequest>(out).empty());
  EXPECT_FALSE(out.train);
  ASSERT_EQ(sent<wire::LeaveRound>(out).size(), 1U);
  EXPECT_TRUE(has_event(out, Kind::kRoundLeft, "does not follow"));
}

TEST_F(SessionLineage, ALaterModelIsMadeFromTheSum) {
  const secagg::PublishedSum sum = first_sum();
  const SessionOutput asked = offer_second(next_model.hash());
  ASSERT_EQ(sent<wire::BlobRequest>(asked).size(), 1U);
  EXPECT_EQ(sent<wire::BlobRequest>(asked)[0].blob, secagg::published_sum_blob(agreement.run, 1));
  const SessionOutput served = serve(asked, encode(sum));
  ASSERT_TRUE(served.train);
  EXPECT_EQ(served.train->model->values, next_model.values);
  EXPECT_NEAR(served.train->model->values[0], 1.5, 1e-3);
}

TEST_F(SessionLineage, WeightsThatTheSumsDoNotLeadToAreNeverTrainedOn) {
  const secagg::PublishedSum sum = first_sum();
  FlatParameters crafted = next_model;
  crafted.values[2] += 1e-3F;
  const SessionOutput served = serve(offer_second(crafted.hash()), encode(sum));
  EXPECT_FALSE(served.train);
  EXPECT_EQ(sent<wire::LeaveRound>(served).size(), 1U);
  EXPECT_TRUE(has_event(served, Kind::kRoundLeft, "the sums of 1 rounds"));
}

TEST_F(SessionLineage, ASumThatIsNotOneEndsTheRoundForThisSite) {
  const secagg::PublishedSum sum = first_sum();
  auto damaged = sum;
  damaged.packed.front() ^= 4;
  const SessionOutput served = serve(offer_second(next_model.hash()), encode(damaged));
  EXPECT_FALSE(served.train);
  EXPECT_TRUE(has_event(served, Kind::kRoundLeft, "not accepted"));
  // The next attempt with the right one is joined.
  next_round(RoundNumber::of(2, 1));
  EXPECT_TRUE(serve(offer(), encode(sum)).train);
}

TEST_F(SessionLineage, AModelThatIsHereAlreadyIsNotMadeAgain) {
  const secagg::PublishedSum sum = first_sum();
  ASSERT_TRUE(serve(offer_second(next_model.hash()), encode(sum)).train);
  next_round(RoundNumber::of(2, 1));
  const SessionOutput again = offer();
  EXPECT_TRUE(sent<wire::BlobRequest>(again).empty());
  ASSERT_TRUE(again.train);
  EXPECT_EQ(again.train->model->values, next_model.values);
}

}  // namespace
}  // namespace sotto::participant

// Each member makes every model by itself (docs/secure-aggregation.md, 2.8): the models are the
// coordinator's to the bit, and what is not the sum of the next round changes nothing.
#include "participant/protocol/model_lineage.h"

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "common/privacy/mechanisms/clip.h"
#include "common/secagg/server/server.h"

namespace sotto::participant {
namespace {

constexpr std::uint32_t kMembers = 5;
constexpr std::size_t kValues = 300;

FlatParameters first_model() {
  FlatParameters model{.layout = {{"weights", {kValues}}}, .values = {}};
  for (std::size_t i = 0; i < kValues; ++i)
    model.values.push_back(0.01F * static_cast<float>(i));
  return model;
}

/// Sums as a coordinator makes them, and the member that is given them.
struct Lineage : ::testing::TestWithParam<std::tuple<bool, std::string>> {
  crypto::StreamRandom random{91};
  const ServerOptimizerSpec spec_of_job{.type = std::get<1>(GetParam()),
                                        .parameters = {.learning_rate = 0.1}};
  FlatParameters model = first_model();
  ServerOptimizer optimizer{spec_of_job, kValues};
  SumRules rules;
  std::optional<ModelLineage> lineage;

  static bool has_noise() { return std::get<0>(GetParam()); }

  void SetUp() override {
    rules.run.fill(7);
    rules.participants = kMembers;
    rules.encoding.metrics = {"examples"};
    if (has_noise())
      rules.noise =
          encoding::NoiseTerms{.values = kValues, .clipping_norm = 1, .noise_multiplier = 0.5};
    lineage.emplace(LineageTerms{.optimizer = spec_of_job,
                                 .first = std::make_shared<const FlatParameters>(model)},
                    rules);
  }

  /// The sum of a round of all members; the coordinator's model follows it.
  secagg::PublishedSum sum_of(std::uint64_t server_round, bool with_counters = true) {
    secagg::PublishedSum out{.server_round = server_round,
                             .h = {},
                             .size = {.n = kMembers, .C = 1},
                             .survivors = kMembers,
                             .packed = {}};
    out.h.fill(static_cast<std::uint8_t>(server_round));
    auto spec = secagg::round_encoding(rules.encoding, rules.noise, rules.graph, out.size)->spec;
    if (!with_counters) spec = encoding::without_metrics(std::move(spec));
    const auto lanes = encoding::lane_specs(spec, kValues, kMembers);
    auto sum = encoding::RingUpdate::zeros(lanes);
    for (std::uint32_t i = 0; i < kMembers; ++i) {
      std::vector<float> update(kValues);
      for (float& value : update)
        value = static_cast<float>(0.1 * (random.unit() - 0.5));
      auto encoded = encoding::encode(
          spec, lanes, out.h, clip(FlatUpdate(std::move(update)), 1.0).value(),
          {.weight = 1, .metrics = std::vector<std::uint64_t>(spec.metrics.size(), 3)}, random);
      EXPECT_TRUE(sum.add_packed(encoded->pack()).ok());
    }
    out.packed = sum.pack();
    model.values = encoding::step_by_mean(
        optimizer, std::move(model.values),
        encoding::decode_sum(spec, lanes, out.h, std::move(sum), out.survivors).value());
    return out;
  }

  void expect_refused(const secagg::PublishedSum& sum, const std::string& why) {
    const Bytes32 before = lineage->model_hash();
    const std::uint64_t round = lineage->next_round();
    const Status advanced = lineage->advance(encode(sum));
    ASSERT_FALSE(advanced.ok());
    EXPECT_NE(advanced.error().message.find(why), std::string::npos) << advanced.error().message;
    EXPECT_EQ(lineage->model_hash(), before);
    EXPECT_EQ(lineage->next_round(), round);
  }
};

TEST_P(Lineage, MakesTheCoordinatorsModelsToTheBit) {
  EXPECT_EQ(lineage->model_hash(), first_model().hash());
  const auto first = lineage->model();  // as a trainer holds it
  for (std::uint64_t round = 1; round <= 4; ++round) {
    ASSERT_EQ(lineage->next_round(), round);
    const auto sum = sum_of(round);
    const Status advanced = lineage->advance(encode(sum));
    ASSERT_TRUE(advanced.ok()) << advanced.error().message;
    EXPECT_EQ(lineage->model()->values, model.values);
    EXPECT_EQ(lineage->model_hash(), model.hash());
  }
  EXPECT_EQ(first->values, first_model().values);
}

TEST_P(Lineage, SumsOfAttemptsWithoutCountersLeadToTheSameModels) {
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const Status advanced = lineage->advance(encode(sum_of(round, round != 2)));
    ASSERT_TRUE(advanced.ok()) << advanced.error().message;
    EXPECT_EQ(lineage->model_hash(), model.hash());
  }
}

TEST_P(Lineage, AsksForOneSumOfOneRun) {
  const Bytes32 first = lineage->wanted_blob();
  EXPECT_EQ(first, secagg::published_sum_blob(rules.run, 1));
  const Bytes bytes = encode(sum_of(1));
  EXPECT_LT(bytes.size(), lineage->max_blob_bytes());
  ASSERT_TRUE(lineage->advance(bytes).ok());
  EXPECT_EQ(lineage->wanted_blob(), secagg::published_sum_blob(rules.run, 2));
  EXPECT_NE(lineage->wanted_blob(), first);
}

TEST_P(Lineage, WhatIsNotTheSumOfTheNextRoundChangesNothing) {
  const secagg::PublishedSum good = sum_of(1);
  auto bad = good;
  bad.server_round = 2;
  expect_refused(bad, "the sum of server round 2");
  bad = good;
  bad.size.n = kMembers + 1;
  expect_refused(bad, "would not have joined");
  bad = good;
  bad.size = {.n = 2, .C = 1};
  expect_refused(bad, "would not have joined");
  bad = good;
  bad.size.C = 0;
  expect_refused(bad, "would not have joined");
  bad = good;
  bad.survivors = 1;
  expect_refused(bad, "members; a sum has");
  bad = good;
  bad.survivors = kMembers + 1;
  expect_refused(bad, "members; a sum has");
  bad = good;
  bad.survivors = kMembers - 1;  // the count word knows better
  expect_refused(bad, "not accepted");
  bad = good;
  bad.packed.front() ^= 1;  // check words
  expect_refused(bad, "not accepted");
  bad = good;
  bad.h[0] ^= 1;  // they are keyed by h
  expect_refused(bad, "not accepted");
  bad = good;
  bad.packed.pop_back();
  expect_refused(bad, "not accepted");
  EXPECT_TRUE(lineage->advance(encode(good)).ok());
}

TEST_P(Lineage, ASumOfFewerThanTheSiteTakesPartInIsRefused) {
  rules.min_cohort = kMembers;
  lineage.emplace(LineageTerms{.optimizer = spec_of_job,
                               .first = std::make_shared<const FlatParameters>(model)},
                  rules);
  const secagg::PublishedSum good = sum_of(1);
  auto bad = good;
  bad.survivors = kMembers - 1;
  expect_refused(bad, "it has 4 members; a sum has 5 to 5");
  EXPECT_TRUE(lineage->advance(encode(good)).ok());
}

TEST_P(Lineage, BytesCutAnywhereAreRefused) {
  const Bytes whole = encode(sum_of(1));
  for (std::size_t length : {std::size_t{0}, std::size_t{8}, std::size_t{51}, whole.size() - 1})
    EXPECT_FALSE(lineage->advance(Bytes(whole.data(), whole.data() + length)).ok()) << length;
  EXPECT_EQ(lineage->next_round(), 1U);
}

/// A coordinator that signed one sum at the end of the round cannot publish another one.
TEST_P(Lineage, TheSumThatWasSignedIsTheOneThatCounts) {
  const secagg::PublishedSum one = sum_of(1);
  secagg::PublishedSum other = sum_of(1);
  const auto spec =
      secagg::round_encoding(rules.encoding, rules.noise, rules.graph, one.size)->spec;
  auto sum = encoding::RingUpdate::zeros(encoding::lane_specs(spec, kValues, kMembers));
  ASSERT_TRUE(sum.add_packed(one.packed).ok());
  lineage->signed_sum(1, secagg::hash_of_sum(one.h, sum));
  expect_refused(other, "it differs from the sum that the coordinator signed");
  EXPECT_TRUE(lineage->advance(encode(one)).ok());
}

struct PlainLineage : Lineage {};

/// The coordinator refuses such a sum as well, with the same function.
TEST_P(PlainLineage, ASumThatClippedUpdatesCannotGiveChangesNothing) {
  SumRules strict = rules;
  strict.encoding.max_update_norm = 0.1;  // the mean has a norm of 0.2
  lineage.emplace(LineageTerms{.optimizer = spec_of_job,
                               .first = std::make_shared<const FlatParameters>(first_model())},
                  strict);
  expect_refused(sum_of(1), "longer than the clipped updates");
}

INSTANTIATE_TEST_SUITE_P(WithoutNoise, PlainLineage,
                         ::testing::Values(std::tuple(false, std::string("fedadam"))));

INSTANTIATE_TEST_SUITE_P(WithAndWithoutNoise, Lineage,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values("fedavg", "fedadam", "fedyogi")),
                         [](const auto& with) {
                           return std::get<1>(with.param) +
                                  (std::get<0>(with.param) ? "_Noise" : "_Plain");
                         });

}  // namespace
}  // namespace sotto::participant

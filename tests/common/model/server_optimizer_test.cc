#include "common/model/optimizers/server_optimizer.h"

#include <set>

#include <gtest/gtest.h>

namespace sotto {
namespace {

const ServerOptimizerSpec kAdam{
    .type = "fedadam",
    .parameters = {.learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .tau = 0.001}};

std::vector<float> stepped(ServerOptimizer& optimizer, std::vector<float> model,
                           const std::vector<float>& mean) {
  optimizer.step(model, 0, mean);
  return model;
}

Bytes state_of(const ServerOptimizer& optimizer) {
  const auto encoded = optimizer.encode_state();
  ByteWriter out;
  out.bytes(encoded.head);
  for (const BytesView moment : encoded.moments)
    out.bytes(moment);
  EXPECT_EQ(out.view().size(), encoded.size());
  return out.take();
}

TEST(ServerOptimizer, FedAvgAddsTheMeanTimesTheLearningRate) {
  ServerOptimizer optimizer({.type = "fedavg", .parameters = {.learning_rate = 0.5}}, 3);
  EXPECT_EQ(stepped(optimizer, {1.0F, -2.0F, 0.0F}, {2.0F, 4.0F, -8.0F}),
            (std::vector{2.0F, 0.0F, -4.0F}));
}

// By hand: m = 0.1 d, v = 0.99e-6 + 0.01 d^2, x = 0.1 m / (sqrt(v) + 0.001).
// d = 1:    m = 0.1,  v = 0.01000099,  sqrt(v) = 0.10000495, x = 0.0990050 (rounded).
// d = -0.5: m = -.05, v = 0.00250099,  sqrt(v) = 0.0500099,  x = -0.0980199.
TEST(ServerOptimizer, FedAdamTakesTheStepComputedByHand) {
  ServerOptimizer optimizer(kAdam, 3);
  const auto model = stepped(optimizer, {0.0F, 0.0F, 0.0F}, {1.0F, -0.5F, 0.0F});
  EXPECT_NEAR(model[0], 0.0990050, 1e-6);
  EXPECT_NEAR(model[1], -0.0980199, 1e-6);
  EXPECT_EQ(model[2], 0.0F);
}

// Second step with d = 0: m = 0.09, v = 0.99 * 0.01000099 = 0.0099009801,
// sqrt(v) = 0.09950367, step = 0.1 * 0.09 / 0.10050367 = 0.0895490.
TEST(ServerOptimizer, FedAdamKeepsMomentum) {
  ServerOptimizer optimizer(kAdam, 1);
  const auto first = stepped(optimizer, {0.0F}, {1.0F});
  const auto second = stepped(optimizer, first, {0.0F});
  EXPECT_NEAR(second[0] - first[0], 0.0895490, 1e-6);
}

const ServerOptimizerSpec kYogi{
    .type = "fedyogi",
    .parameters = {.learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .tau = 0.001}};

// By hand, d = 1: m = 0.1; v - d^2 = 1e-6 - 1 < 0, so v = 1e-6 + 0.01 = 0.010001,
// sqrt(v) = 0.100005, x = 0.1 * 0.1 / 0.101005 = 0.0990050.
// Then d = 0.05: m = 0.09 + 0.005 = 0.095; v - d^2 = 0.010001 - 0.0025 > 0, so
// v = 0.010001 - 0.01 * 0.0025 = 0.009976, sqrt(v) = 0.0998799, step = 0.0095 / 0.1008799 =
// 0.0941714. (FedAdam's v would be 0.00992599, its step 0.0944060.)
TEST(ServerOptimizer, FedYogiTakesTheStepsComputedByHand) {
  ServerOptimizer optimizer(kYogi, 1);
  const auto first = stepped(optimizer, {0.0F}, {1.0F});
  EXPECT_NEAR(first[0], 0.0990050, 1e-6);
  const auto second = stepped(optimizer, first, {0.05F});
  EXPECT_NEAR(second[0] - first[0], 0.0941714, 1e-6);
}

// sign(0) is 0. By hand: v = tau^2 = d^2 = 0.25 exactly, so v stays and x = 0.1 * 0.05 / (0.5 + 0.5).
TEST(ServerOptimizer, FedYogisSecondMomentStaysWhereItIsTheSquare) {
  ServerOptimizer optimizer(
      {.type = "fedyogi", .parameters = {.learning_rate = 0.1, .tau = 0.5}}, 1);
  EXPECT_NEAR(stepped(optimizer, {0.0F}, {0.5F})[0], 0.005, 1e-9);
}

TEST(ServerOptimizer, EveryKindGoesOnFromItsSavedStateToTheBit) {
  for (const ServerOptimizerKind* kind : server_optimizer_kinds()) {
    const ServerOptimizerSpec spec{.type = std::string(kind->name),
                                   .parameters = {.learning_rate = 0.3}};
    ServerOptimizer whole(spec, 2);
    const auto first = stepped(whole, {1.0F, 2.0F}, {0.3F, -0.7F});
    const Bytes state = state_of(whole);
    EXPECT_EQ(state.size(), 16 + 4 * kind->moments * 2) << kind->name;
    ServerOptimizer resumed = ServerOptimizer::restored(spec, state).value();
    EXPECT_EQ(stepped(resumed, first, {0.1F, 0.2F}), stepped(whole, first, {0.1F, 0.2F}))
        << kind->name;
    for (const ServerOptimizerKind* other : server_optimizer_kinds())
      EXPECT_EQ(ServerOptimizer::restored({.type = std::string(other->name)}, state).ok(),
                other == kind)
          << kind->name << " as " << other->name;
  }
}

TEST(ServerOptimizer, KindsAreFoundByTheirNamesAndHaveNumbersOfTheirOwn) {
  std::set<std::uint32_t> numbers;
  for (const ServerOptimizerKind* kind : server_optimizer_kinds()) {
    EXPECT_EQ(find_server_optimizer(kind->name), kind);
    EXPECT_TRUE(numbers.insert(kind->number).second) << kind->name;
  }
  EXPECT_EQ(find_server_optimizer("fedadagrad"), nullptr);
}

TEST(ServerOptimizer, AModelTakenInPartsIsTheSameToTheBit) {
  constexpr std::size_t kValues = 1000;
  std::vector<float> model(kValues), mean(kValues);
  for (std::size_t i = 0; i < kValues; ++i) {
    model[i] = 0.01F * static_cast<float>(i);
    mean[i] = 1.0F / static_cast<float>(i + 3);
  }
  ServerOptimizer whole(kAdam, kValues), parts(kAdam, kValues);
  std::vector<float> in_parts = model;
  for (int round = 0; round < 3; ++round) {
    whole.step(model, 0, mean);
    for (const auto& [first, count] : {std::pair{700U, 300U}, {0U, 1U}, {1U, 699U}})
      parts.step(std::span(in_parts).subspan(first, count), first,
                 std::span(mean).subspan(first, count));
  }
  EXPECT_EQ(model, in_parts);
  EXPECT_EQ(state_of(whole), state_of(parts));
  EXPECT_DEATH(parts.step(in_parts, 1, mean), "a part of the model");
}

TEST(ServerOptimizer, RestoredStateGoesOnToTheBit) {
  ServerOptimizer whole(kAdam, 2);
  const std::vector<float> model = stepped(whole, {1.0F, 2.0F}, {0.3F, -0.7F});
  ServerOptimizer resumed = ServerOptimizer::restored(kAdam, state_of(whole)).value();
  EXPECT_EQ(resumed.parameters(), 2U);
  EXPECT_EQ(stepped(whole, model, {0.1F, 0.2F}), stepped(resumed, model, {0.1F, 0.2F}));
}

TEST(ServerOptimizer, StateOfAnotherOptimizerAndCutStateIsRefused) {
  const Bytes state = state_of(ServerOptimizer(kAdam, 2));
  EXPECT_FALSE(ServerOptimizer::restored({.type = "fedavg"}, state).ok());
  for (std::size_t cut : {std::size_t{10}, std::size_t{16}, state.size() - 4, state.size() - 1})
    EXPECT_FALSE(ServerOptimizer::restored(kAdam, BytesView(state).first(cut)).ok()) << cut;
  Bytes more_parameters = state;
  more_parameters[8] = 3;
  EXPECT_FALSE(ServerOptimizer::restored(kAdam, more_parameters).ok());
}

TEST(ServerOptimizer, StateThatIsNotFiniteIsRefused) {
  Bytes state = state_of(ServerOptimizer(kAdam, 1));
  for (std::size_t i = 16; i < 20; ++i)
    state[i] = 0xff;
  EXPECT_FALSE(ServerOptimizer::restored(kAdam, state).ok());
}

TEST(ServerOptimizer, FedAvgHasNoState) {
  const Bytes state = state_of(ServerOptimizer({.type = "fedavg"}, 1000));
  EXPECT_EQ(state.size(), 16U);
  EXPECT_EQ(ServerOptimizer::restored({.type = "fedavg"}, state)->parameters(), 1000U);
}

}  // namespace
}  // namespace sotto

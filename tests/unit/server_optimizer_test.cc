#include "common/model/server_optimizer.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

using Type = ServerOptimizerSpec::Type;

const ServerOptimizerSpec kAdam{
    .type = Type::kFedAdam, .learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .tau = 0.001};

TEST(ServerOptimizer, FedAvgAddsTheMeanTimesTheLearningRate) {
  ServerOptimizer optimizer({.type = Type::kFedAvg, .learning_rate = 0.5}, 3);
  EXPECT_EQ(optimizer.step({1.0F, -2.0F, 0.0F}, std::vector{2.0F, 4.0F, -8.0F}),
            (std::vector{2.0F, 0.0F, -4.0F}));
}

// By hand: m = 0.1 d, v = 0.99e-6 + 0.01 d^2, x = 0.1 m / (sqrt(v) + 0.001).
// d = 1:    m = 0.1,  v = 0.01000099,  sqrt(v) = 0.10000495, x = 0.0990050 (rounded).
// d = -0.5: m = -.05, v = 0.00250099,  sqrt(v) = 0.0500099,  x = -0.0980199.
TEST(ServerOptimizer, FedAdamTakesTheStepComputedByHand) {
  ServerOptimizer optimizer(kAdam, 3);
  const auto model = optimizer.step({0.0F, 0.0F, 0.0F}, std::vector{1.0F, -0.5F, 0.0F});
  EXPECT_NEAR(model[0], 0.0990050, 1e-6);
  EXPECT_NEAR(model[1], -0.0980199, 1e-6);
  EXPECT_EQ(model[2], 0.0F);
}

// Second step with d = 0: m = 0.09, v = 0.99 * 0.01000099 = 0.0099009801,
// sqrt(v) = 0.09950367, step = 0.1 * 0.09 / 0.10050367 = 0.0895490.
TEST(ServerOptimizer, FedAdamKeepsMomentum) {
  ServerOptimizer optimizer(kAdam, 1);
  const auto first = optimizer.step({0.0F}, std::vector{1.0F});
  const auto second = optimizer.step(first, std::vector{0.0F});
  EXPECT_NEAR(second[0] - first[0], 0.0895490, 1e-6);
}

TEST(ServerOptimizer, RestoredStateGoesOnToTheBit) {
  ServerOptimizer whole(kAdam, 2);
  std::vector<float> model = whole.step({1.0F, 2.0F}, std::vector{0.3F, -0.7F});
  ServerOptimizer resumed(kAdam, 2);
  ASSERT_TRUE(resumed.restore_state(whole.encode_state()).ok());
  EXPECT_EQ(whole.step(model, std::vector{0.1F, 0.2F}),
            resumed.step(model, std::vector{0.1F, 0.2F}));
}

TEST(ServerOptimizer, StateOfAnotherModelOrOptimizerIsRefused) {
  const Bytes state = ServerOptimizer(kAdam, 2).encode_state();
  EXPECT_FALSE(ServerOptimizer(kAdam, 3).restore_state(state).ok());
  EXPECT_FALSE(ServerOptimizer({.type = Type::kFedAvg}, 2).restore_state(state).ok());
  EXPECT_FALSE(ServerOptimizer(kAdam, 2).restore_state(BytesView(state).first(10)).ok());
  EXPECT_FALSE(
      ServerOptimizer(kAdam, 2).restore_state(BytesView(state).first(state.size() - 4)).ok());
}

TEST(ServerOptimizer, StateThatIsNotFiniteIsRefused) {
  Bytes state = ServerOptimizer(kAdam, 1).encode_state();
  for (std::size_t i = 16; i < 20; ++i)
    state[i] = 0xff;
  EXPECT_FALSE(ServerOptimizer(kAdam, 1).restore_state(state).ok());
}

TEST(ServerOptimizer, FedAvgHasNoState) {
  ServerOptimizer optimizer({.type = Type::kFedAvg}, 1000);
  EXPECT_EQ(optimizer.encode_state().size(), 16U);
  EXPECT_TRUE(optimizer.restore_state(optimizer.encode_state()).ok());
}

}  // namespace
}  // namespace sotto

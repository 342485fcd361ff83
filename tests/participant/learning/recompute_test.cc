// What activation checkpointing is for: the memory of a step. Its results are compared where steps
// are (PrivateTransformer, Lora, LocalTrainerTest).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "participant/learning/transformer/recompute_torch.h"
#include "tests/participant/learning/peak_memory.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

using at::Tensor;

class Recomputation : public ::testing::Test {
 protected:
  void SetUp() override {
    const ModelSpec spec{.config = {.family = TransformerConfig::Family::kBert,
                                    .vocab_size = 50,
                                    .hidden_size = 32,
                                    .num_hidden_layers = 12,
                                    .num_attention_heads = 2,
                                    .num_key_value_heads = 2,
                                    .head_dim = 16,
                                    .intermediate_size = 128,
                                    .max_position_embeddings = 64,
                                    .type_vocab_size = 2,
                                    .norm_eps = 1e-12},
                         .head = {.labels = 2}};
    const ModelModules modules = modules_of(spec).value();
    model_ = std::make_unique<Transformer>(spec, modules, at::kCPU);
    ASSERT_TRUE(
        model_->load(random_parameters(spec, trainable_layout(modules, spec.lora), 1)).ok());
    for (std::int32_t i = 0; i < 16; ++i)
      texts_.push_back({std::vector<std::int32_t>(64, i), i % 2});
  }

  double plain_peak(bool recompute) {
    return peak_bytes_of([&] {
      losses_of(*model_, batch_of(texts_, at::kCPU), {.recompute = recompute}).sum().backward();
    });
  }

  double private_peak(bool recompute, GradTape::Passes passes) {
    return peak_bytes_of([&] {
      GradTape tape(passes);
      tape.backward(
          losses_of(*model_, batch_of(texts_, at::kCPU), {.tape = &tape, .recompute = recompute})
              .sum());
      const Tensor norms = tape.squared_norms(model_->parameters()).bound;
      tape.accumulate(model_->parameters(), at::ones_like(norms));
    });
  }

  std::unique_ptr<Transformer> model_;
  std::vector<Sequence> texts_;
};

TEST_F(Recomputation, APlainStepHoldsOneLayerAtATime) {
  EXPECT_LT(plain_peak(true), 0.25 * plain_peak(false));
}

TEST_F(Recomputation, APrivateStepHoldsOneLayerAtATime) {
  const double kept = private_peak(false, GradTape::Passes::kOne);
  EXPECT_LT(private_peak(true, GradTape::Passes::kTwo), 0.25 * kept);
  EXPECT_LT(kept, 1.2 * plain_peak(false)) << "the tape is to cost little beside the activations";
}

TEST_F(Recomputation, RunsTheBodyOnceMoreForEachBackwardPass) {
  int runs = 0;
  const Tensor x = at::arange(3, at::kFloat).requires_grad_(true);
  const Tensor y = recomputed(x, [&runs](const Tensor& in) {
    ++runs;
    return in * in;
  });
  EXPECT_EQ(runs, 1);
  y.sum().backward({}, /*retain_graph=*/true);
  EXPECT_EQ(runs, 2);
  y.sum().backward();
  EXPECT_EQ(runs, 3);
  EXPECT_TRUE(at::equal(x.grad(), 4 * x.detach()));
}

}  // namespace
}  // namespace sotto::learning

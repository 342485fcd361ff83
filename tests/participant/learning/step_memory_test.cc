// What a step holds at its peak, by torch's own count: the sizes of the benchmark in small.
#include <ostream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/participant/learning/peak_memory.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

using at::Tensor;

constexpr std::int64_t kPositions = 32, kWidth = 64, kExamples = 8;

struct Case {
  const char* name;
  TransformerConfig::Family family;
  ModelHead::Kind head;
  std::int64_t words;
  double most;  // of a private step over a plain one

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

ModelSpec spec_of(const Case& c) {
  const bool is_gpt2 = c.family == TransformerConfig::Family::kGpt2;
  return {.config = {.family = c.family,
                     .vocab_size = c.words,
                     .hidden_size = kWidth,
                     .num_hidden_layers = 4,
                     .num_attention_heads = 4,
                     .num_key_value_heads = 4,
                     .head_dim = kWidth / 4,
                     .intermediate_size = 4 * kWidth,
                     .max_position_embeddings = kPositions,
                     .type_vocab_size = is_gpt2 ? 0 : 2,
                     .norm_eps = 1e-5,
                     .activation = is_gpt2 ? TransformerConfig::Activation::kGeluTanh
                                           : TransformerConfig::Activation::kGelu,
                     .tie_word_embeddings = is_gpt2},
          .head = {.kind = c.head, .labels = 2}};
}

class StepMemory : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    at::manual_seed(3);
    const ModelSpec spec = spec_of(GetParam());
    const ModelModules modules = modules_of(spec).value();
    model_ = std::make_unique<Transformer>(spec, modules, at::kCPU);
    ASSERT_TRUE(
        model_->load(random_parameters(spec, trainable_layout(modules, spec.lora), 1)).ok());
    const Tensor ids = at::randint(GetParam().words, {kExamples, kPositions});
    for (std::int64_t i = 0; i < kExamples; ++i) {
      Sequence text{{}, i % 2};
      for (std::int64_t t = 0; t < kPositions; ++t)
        text.ids.push_back(static_cast<std::int32_t>(ids[i][t].item<std::int64_t>()));
      texts_.push_back(std::move(text));
    }
  }

  [[nodiscard]] double plain() const {
    return peak_bytes_of(
        [&] { losses_of(*model_, batch_of(texts_, at::kCPU), {}).sum().backward(); });
  }

  [[nodiscard]] double with_privacy() const {
    return peak_bytes_of([&] {
      GradTape tape;
      tape.backward(losses_of(*model_, batch_of(texts_, at::kCPU), {.tape = &tape}).sum());
      const SquaredNorms norms = tape.squared_norms(model_->parameters());
      tape.accumulate(model_->parameters(), at::ones_like(norms.bound));
    });
  }

  std::unique_ptr<Transformer> model_;
  std::vector<Sequence> texts_;
};

INSTANTIATE_TEST_SUITE_P(Models, StepMemory,
                         ::testing::Values(Case{"bert", TransformerConfig::Family::kBert,
                                                ModelHead::Kind::kClassification, 500, 1.05},
                                           Case{"gpt2", TransformerConfig::Family::kGpt2,
                                                ModelHead::Kind::kLanguageModel, 1333, 1.02}),
                         [](const auto& c) { return std::string(c.param.name); });

TEST_P(StepMemory, PrivacyCostsHardlyAny) {
  const double without = plain(), with = with_privacy();
  EXPECT_LT(with, GetParam().most * without) << with / without << " of " << without;
}

}  // namespace
}  // namespace sotto::learning

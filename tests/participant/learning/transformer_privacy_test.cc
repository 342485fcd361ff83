// DP-SGD on whole models: for every family and both kinds of head, norms and clipped sums of the
// one backward pass against the loop over single examples that DP-SGD is defined by.
#include <filesystem>
#include <ostream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/participant/learning/test_device.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

using at::Tensor;

struct Case {
  const char* name;
  const char* folder;
  ModelHead::Kind head;
  bool untied = false;
  std::vector<std::string> lora{};  // target modules

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

ModelSpec spec_of(const Case& c) {
  const auto folder = kVectors / c.folder;
  ModelSpec spec = c.head == ModelHead::Kind::kLanguageModel ? language_spec(folder)
                                                             : classifier_spec(folder, 3);
  spec.head.kind = c.head;
  if (c.untied) spec.config.tie_word_embeddings = false;
  if (!c.lora.empty()) spec.lora = {.r = 3, .alpha = 5, .target_modules = c.lora};
  return spec;
}

/// All parameters drawn, adapters and heads that start at zero too: a gradient that is zero by
/// construction tests nothing.
FlatParameters drawn(const std::vector<ParameterShape>& layout) {
  FlatParameters out{layout, {}};
  for (const ParameterShape& p : layout) {
    const bool norm = p.shape.size() == 1 && p.name.ends_with(".weight");
    const Tensor values = at::randn({static_cast<std::int64_t>(p.count())}) * 0.3 + (norm ? 1 : 0);
    const auto* data = values.data_ptr<float>();
    out.values.insert(out.values.end(), data, data + values.numel());
  }
  return out;
}

/// Every second token begins a word; the last word was cut off; the text of two tokens has no tag
/// that the model sees, so its gradient is zero.
std::vector<TaggedWord> tagged_words(std::int64_t length) {
  std::vector<TaggedWord> words;
  if (length > 2)
    for (std::int64_t at = 0; at < length; at += 2)
      words.push_back({at % 3, static_cast<std::size_t>(at)});
  words.push_back({1, std::nullopt});
  return words;
}

class PrivateTransformer : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    at::manual_seed(11);
    const ModelSpec spec = spec_of(GetParam());
    const ModelModules modules = modules_of(spec).value();
    model_ = std::make_unique<Transformer>(spec, modules, test_device());
    ASSERT_TRUE(model_->load(drawn(trainable_layout(modules, spec.lora))).ok());
    ASSERT_TRUE(model_->load_frozen(drawn(frozen_layout(modules, spec.lora))).ok());
    for (const std::int64_t length : {7, 2, 10, 5, 3}) {
      Sequence text{{}, length % 3};
      const Tensor ids = at::randint(spec.config.vocab_size, {length});
      for (std::int64_t t = 0; t < length; ++t)
        text.ids.push_back(static_cast<std::int32_t>(ids[t].item<std::int64_t>()));
      text.ids.back() = text.ids.front();  // a token that stands twice
      if (GetParam().head == ModelHead::Kind::kTokenClassification)
        text.words = tagged_words(length);
      texts_.push_back(std::move(text));
    }
  }

  struct Released {
    Tensor squared_norms, sum;
  };

  /// Of one step, clipped at the median norm.
  [[nodiscard]] Released private_step(Pass pass, GradTape::Passes passes) const {
    model_->gradient().zero_();
    GradTape tape(passes);
    pass.tape = &tape;
    tape.backward(losses_of(*model_, batch_of(texts_), pass).sum());
    EXPECT_EQ(tape.unused(model_->parameters()), std::vector<std::string>{});
    const Tensor squared = tape.squared_norms(model_->parameters()).estimate;
    const Tensor norms = squared.sum(0).sqrt();
    tape.accumulate(model_->parameters(),
                    (norms.median() / norms).clamp_max(1).expand({squared.size(0), -1}));
    return {squared, model_->gradient().clone()};
  }

  [[nodiscard]] Tensor plain_gradient(const Pass& pass) const {
    model_->gradient().zero_();
    losses_of(*model_, batch_of(texts_), pass).sum().backward();
    return model_->gradient().clone();
  }

  std::unique_ptr<Transformer> model_;
  std::vector<Sequence> texts_;
};

INSTANTIATE_TEST_SUITE_P(
    Models, PrivateTransformer,
    ::testing::Values(
        Case{"bert", "bert", ModelHead::Kind::kClassification},
        Case{"gpt2_classifier", "gpt2", ModelHead::Kind::kClassification},
        Case{"llama_classifier", "llama", ModelHead::Kind::kClassification},
        Case{"bert_tokens", "bert", ModelHead::Kind::kTokenClassification},
        Case{"gpt2_tokens", "gpt2", ModelHead::Kind::kTokenClassification},
        Case{"llama_tokens", "llama", ModelHead::Kind::kTokenClassification},
        Case{"bert_tokens_lora", "bert", ModelHead::Kind::kTokenClassification, false, {"query"}},
        Case{"gpt2_tied", "gpt2", ModelHead::Kind::kLanguageModel},
        Case{"gpt2_untied", "gpt2", ModelHead::Kind::kLanguageModel, true},
        Case{"llama_untied", "llama", ModelHead::Kind::kLanguageModel},
        Case{"qwen2_tied", "qwen2", ModelHead::Kind::kLanguageModel},
        Case{"qwen2_untied", "qwen2", ModelHead::Kind::kLanguageModel, true},
        Case{"llama3_tied", "llama3", ModelHead::Kind::kLanguageModel},
        Case{"bert_lora", "bert", ModelHead::Kind::kClassification, false, {"query", "value"}},
        Case{"gpt2_lora", "gpt2", ModelHead::Kind::kLanguageModel, false, {"c_attn", "mlp.c_proj"}},
        Case{"llama_lora", "llama", ModelHead::Kind::kLanguageModel, false, {"all-linear"}}),
    [](const auto& c) { return std::string(c.param.name); });

TEST_P(PrivateTransformer, NormsAndClippedSumAreThoseOfALoopOverExamples) {
  std::vector<Tensor> values, expected;
  for (const Parameter& p : model_->parameters()) {
    values.push_back(p.value);
    expected.push_back(at::zeros_like(p.value, at::kDouble));
  }
  const auto count = static_cast<std::int64_t>(texts_.size());
  std::vector<std::vector<Tensor>> gradients;
  const Tensor norms = on_device(at::zeros({count}, at::kDouble));
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor loss = losses_of(*model_, batch_of({texts_[static_cast<std::size_t>(i)]}), {});
    gradients.push_back(torch::autograd::grad({loss.sum()}, values));
    Tensor squares = at::zeros({}, at::kDouble);
    for (const Tensor& g : gradients.back())
      squares = squares + g.to(at::kDouble).square().sum();
    norms[i] = squares.sqrt();
  }
  const double clip = norms.median().item<double>();  // some are clipped, some are not
  for (std::int64_t i = 0; i < count; ++i)
    for (std::size_t p = 0; p < values.size(); ++p)
      expected[p] += gradients[static_cast<std::size_t>(i)][p].to(at::kDouble) *
                     std::min(1.0, clip / std::max(norms[i].item<double>(), 1e-12));

  GradTape tape;
  tape.backward(losses_of(*model_, batch_of(texts_), {&tape}).sum());
  EXPECT_EQ(model_->gradient().abs().sum().item<double>(), 0) << "autograd itself wrote";
  EXPECT_EQ(tape.unused(model_->parameters()), std::vector<std::string>{});
  const Tensor found = tape.squared_norms(model_->parameters()).estimate.sum(0).sqrt();
  EXPECT_LT(((found - norms).abs() / norms.clamp_min(1e-6)).max().item<double>(), 2e-5);
  tape.accumulate(
      model_->parameters(),
      (clip / norms).clamp_max(1).expand({static_cast<std::int64_t>(values.size()), -1}));
  for (std::size_t p = 0; p < values.size(); ++p) {
    const double scale = expected[p].abs().max().item<double>();
    EXPECT_GT(scale, 0) << model_->parameters()[p].name << " has no gradient to compare";
    EXPECT_LT((model_->parameters()[p].gradient - expected[p]).abs().max().item<double>(),
              1e-4 * scale + 1e-7)
        << model_->parameters()[p].name;
  }
}

TEST_P(PrivateTransformer, RecomputedLayersGiveTheSameToTheBit) {
  const Pass recomputed{.recompute = true};
  const Released expected = private_step({}, GradTape::Passes::kOne);
  for (const auto passes : {GradTape::Passes::kOne, GradTape::Passes::kTwo}) {
    const Released found = private_step(recomputed, passes);
    EXPECT_TRUE(same_values(found.squared_norms, expected.squared_norms));
    EXPECT_TRUE(same_values(found.sum, expected.sum));
  }
  EXPECT_TRUE(same_values(plain_gradient(recomputed), plain_gradient({})));
}

// Bfloat16 has eight bits of mantissa: one rounding is 0.4 %.
TEST_P(PrivateTransformer, ProductsInBfloat16ComeNearThoseInFloat32) {
  const auto distance = [](const Tensor& a, const Tensor& b) {
    return ((a - b).norm() / b.norm()).item<double>();
  };
  const Pass reduced{.precision = Precision::kBfloat16};
  const Released expected = private_step({}, GradTape::Passes::kOne);
  const Released found = private_step(reduced, GradTape::Passes::kOne);
  const Tensor norms = expected.squared_norms.sum(0).sqrt();
  EXPECT_LT(distance(found.squared_norms.sum(0).sqrt(), norms), 0.02);
  EXPECT_LT(distance(found.sum, expected.sum), 0.04);
  EXPECT_FALSE(at::equal(found.sum, expected.sum)) << "nothing was in bfloat16";
  EXPECT_LT(distance(plain_gradient(reduced), plain_gradient({})), 0.04);
}

}  // namespace
}  // namespace sotto::learning

// What a model folder may say and hold, and how it is refused.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/model/safetensors.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class ModelFolder : public ::testing::Test {
 protected:
  void SetUp() override { folder_ = own_folder(); }

  /// A fixture's config.json with some keys replaced (null: taken out), and why it is refused.
  std::string refusal(const std::string& fixture, const json& changes) {
    std::ifstream in(kVectors / fixture / "config.json");
    json config = json::parse(in);
    config.merge_patch(changes);
    std::ofstream(folder_ / "config.json") << config;
    const auto read = load_transformer_config(folder_);
    return read.ok() ? "" : read.error().message;
  }

  /// Why the tensors are refused as a language model of a fixture's shape.
  std::string refusal(const std::string& fixture, const FlatParameters& tensors) {
    fs::copy_file(kVectors / fixture / "config.json", folder_ / "config.json",
                  fs::copy_options::overwrite_existing);
    SOTTO_CHECK(write_safetensors(folder_ / "model.safetensors", tensors, {}).ok(), "write");
    const ModelSpec spec = language_spec(folder_);
    const ModelModules modules = modules_of(spec).value();
    const auto taken = with_pretrained(random_parameters(spec, trainable_layout(modules, {}), 1),
                                       modules, folder_);
    return taken.ok() ? "" : taken.error().message;
  }

  /// All that a fixture's model has, at random.
  static FlatParameters whole(const std::string& fixture) {
    const ModelSpec spec = language_spec(kVectors / fixture);
    return random_parameters(spec, trainable_layout(modules_of(spec).value(), {}), 1);
  }

  fs::path folder_;
};

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks\n" << part;
}

TEST_F(ModelFolder, UnknownArchitecturesAndSettingsAreRefusedByName) {
  struct Case {
    const char* fixture;
    json changes;
    const char* reason;
  };

  for (const Case& c : {
           Case{"llama", {{"model_type", "mamba"}}, "model_type is \"mamba\"; supported: \"bert\""},
           Case{"bert", {{"position_embedding_type", "relative_key"}}, "position_embedding_type"},
           Case{"bert", {{"is_decoder", true}}, "is_decoder is true; supported: false"},
           Case{"bert", {{"hidden_act", "relu"}}, "hidden_act is \"relu\""},
           Case{"gpt2", {{"scale_attn_by_inverse_layer_idx", true}}, "scale_attn_by_inverse"},
           Case{"gpt2", {{"n_embd", 15}}, "multiple of the number of attention heads"},
           Case{"llama", {{"mlp_bias", true}}, "mlp_bias is true"},
           Case{"llama", {{"rope_scaling", {{"type", "yarn"}}}}, "rope_scaling.type is \"yarn\""},
           Case{"llama", {{"num_key_value_heads", 4}}, "multiple of num_key_value_heads"},
           Case{"llama", {{"head_dim", 3}}, "head_dim must be even"},
           Case{"llama", {{"vocab_size", nullptr}}, "vocab_size is missing"},
           Case{"llama", {{"hidden_size", 0}}, "hidden_size must be an integer"},
           Case{"llama", {{"rms_norm_eps", "x"}}, "rms_norm_eps must be a number"},
           Case{"llama", {{"tie_word_embeddings", 1}}, "tie_word_embeddings must be true"},
           Case{"qwen2", {{"use_sliding_window", true}}, "use_sliding_window is true"},
           Case{"qwen2", {{"quantization_config", json::object()}}, "quantization_config"},
       })
    expect_contains(refusal(c.fixture, c.changes), c.reason);
  EXPECT_EQ(refusal("llama", json::object()), "");
}

TEST_F(ModelFolder, RopeSettingsAreReadFromTheOldKeysAndTheNew) {
  EXPECT_EQ(refusal("llama", {{"rope_theta", 7.0}}), "");
  EXPECT_EQ(load_transformer_config(folder_)->rope_theta, 7);
  EXPECT_EQ(refusal("llama", {{"rope_theta", nullptr},
                              {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 9}}}}),
            "");
  EXPECT_EQ(load_transformer_config(folder_)->rope_theta, 9);
}

TEST_F(ModelFolder, BertIsNoLanguageModel) {
  const auto modules = modules_of(language_spec(kVectors / "bert"));
  ASSERT_FALSE(modules.ok());
  expect_contains(modules.error().message, "is not a causal language model");
}

TEST_F(ModelFolder, AMissingTensorIsNamedWithItsShape) {
  FlatParameters some = whole("llama");
  some.values.resize(some.values.size() - some.layout.back().count());
  some.layout.pop_back();
  expect_contains(refusal("llama", some), "has no tensor lm_head.weight [31, 24]");
}

TEST_F(ModelFolder, ATensorOfAnotherShapeIsNamedWithBoth) {
  FlatParameters bent = whole("llama");
  ASSERT_EQ(bent.layout[0].name, "model.embed_tokens.weight");
  bent.layout[0].shape = {24, 31};
  expect_contains(refusal("llama", bent),
                  "tensor model.embed_tokens.weight has the shape [24, 31], but config.json "
                  "requires [31, 24]");
}

TEST_F(ModelFolder, NamesCountWithAndWithoutThePrefix) {
  for (const std::string fixture : {"gpt2", "qwen2"}) {
    FlatParameters bare = whole(fixture);
    EXPECT_EQ(refusal(fixture, bare), "");
    for (ParameterShape& p : bare.layout)
      p.name = p.name.substr(p.name.find('.') + 1);
    EXPECT_EQ(refusal(fixture, bare), "");
  }
}

TEST_F(ModelFolder, AWeightThatTheModelHasNoPlaceForIsRefused) {
  FlatParameters more = whole("llama");
  more.layout.push_back({"model.layers.0.self_attn.q_norm.weight", {4}});
  more.values.insert(more.values.end(), 4, 1.0F);
  expect_contains(refusal("llama", more),
                  "tensor model.layers.0.self_attn.q_norm.weight is not a part of this model");
  more = whole("llama");
  more.layout.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", {2}});
  more.values.insert(more.values.end(), 2, 1.0F);
  EXPECT_EQ(refusal("llama", more), "");
}

TEST_F(ModelFolder, WeightsThatAreNotFiniteAreRefused) {
  FlatParameters bad = whole("gpt2");
  bad.values[5] = std::numeric_limits<float>::quiet_NaN();
  expect_contains(refusal("gpt2", bad), "tensor transformer.wte.weight: value 5 is not finite");
}

TEST(PretrainedBert, GoogleNamesOfTheNormsAreKnown) {
  const fs::path folder = fs::path(SOTTO_BINARY_DIR) / "learning_test/google";
  fs::remove_all(folder);
  fs::create_directories(folder);
  fs::copy_file(kVectors / "bert/config.json", folder / "config.json");
  const ModelSpec spec = classifier_spec(folder, 2);
  const ModelModules modules = modules_of(spec).value();
  FlatParameters old = random_parameters(spec, trainable_layout(modules, {}), 3);
  for (ParameterShape& p : old.layout) {
    if (p.name.ends_with("LayerNorm.weight")) p.name.replace(p.name.size() - 6, 6, "gamma");
    if (p.name.ends_with("LayerNorm.bias")) p.name.replace(p.name.size() - 4, 4, "beta");
  }
  ASSERT_TRUE(write_safetensors(folder / "model.safetensors", old, {}).ok());
  const FlatParameters start = random_parameters(spec, trainable_layout(modules, {}), 4);
  EXPECT_EQ(with_pretrained(start, modules, folder)->values, old.values);
}

TEST(PretrainedBert, TheBankingExampleTakesAllButItsHeadFromItsEncoder) {
  const fs::path folder = SOTTO_SOURCE_DIR "/configs/banking/model";
  const ModelSpec spec = classifier_spec(folder, 77);
  const ModelModules modules = modules_of(spec).value();
  const FlatParameters start = random_parameters(spec, trainable_layout(modules, {}), 4);
  const FlatParameters taken = with_pretrained(start, modules, folder).value();
  std::size_t at = 0;
  for (const ParameterShape& p : start.layout) {
    const auto begin = start.values.begin() + static_cast<std::ptrdiff_t>(at);
    at += p.count();
    const bool same = std::equal(begin, start.values.begin() + static_cast<std::ptrdiff_t>(at),
                                 taken.values.begin() + (begin - start.values.begin()));
    EXPECT_EQ(same, p.name.starts_with("classifier.")) << p.name;
  }
}

}  // namespace
}  // namespace sotto::learning

// The folders that a run saves, against what Hugging Face's library makes of them: it was asked by
// scripts/dev/transformers_check.py, and its labels, ids and logits are in results.json.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/job/saved_model.h"
#include "common/model/safetensors.h"
#include "common/model/weight_files.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/job_model.h"
#include "participant/text/tokenizer.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kConfigs = SOTTO_SOURCE_DIR "/configs";
const std::vector<std::string> kTones{"negative", "neutral", "positive"};

json read_json(const fs::path& file) {
  std::ifstream in(file);
  return json::parse(in);
}

/// How a saved model comes about.
struct SavedKind {
  const char* name;
  json config;
  std::vector<fs::path> tokenizer;  // files, copied with their names
  tasks::TaskSettings task;
  std::vector<std::string> head_of_base{};  // id2label of the weights; empty: they have no head
  bool adapter = false;
};

std::ostream& operator<<(std::ostream& out, const SavedKind& kind) {
  return out << kind.name;
}

json bert(std::int64_t vocabulary, const json& more = json::object()) {
  json out = {
      {"model_type", "bert"},     {"vocab_size", vocabulary}, {"hidden_size", 8},
      {"num_hidden_layers", 1},   {"intermediate_size", 16},  {"num_attention_heads", 2},
      {"initializer_range", 0.4}, {"type_vocab_size", 2},     {"max_position_embeddings", 24}};
  out.merge_patch(more);
  return out;
}

json gpt2() {
  return {{"model_type", "gpt2"},
          {"vocab_size", 1024},
          {"n_embd", 8},
          {"n_layer", 1},
          {"n_head", 2},
          {"n_positions", 24},
          {"eos_token_id", 0},
          {"initializer_range", 0.4},
          {"torch_dtype", "float16"}};
}

json llama() {
  return {{"model_type", "llama"},
          {"vocab_size", 512},
          {"hidden_size", 8},
          {"intermediate_size", 16},
          {"num_hidden_layers", 1},
          {"num_attention_heads", 2},
          {"num_key_value_heads", 1},
          {"max_position_embeddings", 24},
          {"rms_norm_eps", 1e-6},
          {"initializer_range", 0.4},
          {"tie_word_embeddings", false},
          {"eos_token_id", 2},
          {"_name_or_path", "/srv/models/small"}};
}

std::vector<SavedKind> results() {
  const fs::path lower = kConfigs / "quickstart/model/vocab.txt",
                 pairs = kConfigs / "tinyshakespeare/model/tokenizer.json";
  const std::vector<fs::path> cased{kConfigs / "ner/model/vocab.txt",
                                    kConfigs / "ner/model/tokenizer_config.json"};
  const tasks::TaskSettings tones{.type = "sequence_classification", .labels = kTones},
      tags{.type = "token_classification", .labels = {"PER", "LOC"}},
      language{.type = "causal_language_modeling"};
  return {
      {"bert_three_classes", bert(1024), {lower}, tones},
      {"bert_other_order", bert(1024), {lower}, tones, {"positive", "negative", "neutral"}},
      {"bert_mean", bert(1024, {{"classifier_pooling", "mean"}}), {lower}, tones},
      {"bert_regression",
       bert(1024),
       {lower},
       {.type = "sequence_regression", .target_min = 0, .target_max = 5}},
      {"bert_tags_cased", bert(3000), cased, tags},
      {"gpt2_language", gpt2(), {lower}, language},
      {"gpt2_three_classes", gpt2(), {lower}, tones},
      {"llama_language", llama(), {pairs}, language},
      {"llama_three_classes", llama(), {pairs}, tones},
      {"llama_merged", llama(), {pairs}, language, {}, true},
  };
}

/// A saved model of each kind.
class Results : public ::testing::TestWithParam<SavedKind> {
 protected:
  /// The folder where the script finds the saved models. Only one test writes there, because tests
  /// run beside each other.
  [[nodiscard]] fs::path place() const {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    const bool shown = std::string(test->name()).starts_with("AreWhatTheLibrary");
    return shown ? fs::path(SOTTO_BINARY_DIR) / "learning_test/results" : base_ / "saved";
  }

  void SetUp() override {
    base_ = own_folder();
    saved_ = place() / GetParam().name;
    fs::remove_all(saved_);
    std::ofstream(base_ / "config.json") << GetParam().config;
    for (const fs::path& file : GetParam().tokenizer)
      fs::copy_file(file, base_ / file.filename());
    job_.name = "results";
    job_.model = {.path = base_.string(), .max_length = 20};
    job_.task = GetParam().task;
    if (GetParam().adapter)
      job_.lora = {.r = 2, .alpha = 4, .target_modules = {"q_proj", "down_proj"}};
    write_base();
    save();
  }

  /// The weights that the run begins with.
  void write_base() {
    config::JobConfig base = job_;
    base.model.initial = config::InitialModel::kRandom;
    base.lora = {};
    if (!GetParam().head_of_base.empty()) base.task.labels = GetParam().head_of_base;
    FlatParameters weights = initial_model(base).value();
    if (GetParam().head_of_base.empty()) {
      drop_head(weights);
    } else {
      set_head(weights);
      json config = GetParam().config;
      for (std::size_t i = 0; i < GetParam().head_of_base.size(); ++i)
        config["id2label"][std::to_string(i)] = GetParam().head_of_base[i];
      std::ofstream(base_ / "config.json") << config;
    }
    SOTTO_CHECK(write_safetensors(base_ / "model.safetensors", weights, {}).ok(), "write");
  }

  static bool is_head(const std::string& name) {
    return name.starts_with("classifier.") || name.starts_with("score.");
  }

  static void drop_head(FlatParameters& weights) {
    while (is_head(weights.layout.back().name)) {
      weights.values.resize(weights.values.size() - weights.layout.back().count());
      weights.layout.pop_back();
    }
  }

  /// Gives a head or adapters, which begin at zero, values as after training.
  static void set_head(FlatParameters& model) {
    auto at = model.values.begin();
    for (const ParameterShape& p : model.layout)
      for (std::size_t i = 0; i < p.count(); ++i, ++at)
        if (is_head(p.name) || p.name.find(".lora_") != std::string::npos)
          *at = 0.5F * std::sin(static_cast<float>(3 * i + p.name.size()));
  }

  void save() {
    FlatParameters model = initial_model(job_).value();
    if (GetParam().head_of_base.empty()) set_head(model);
    if (!GetParam().adapter) {
      ASSERT_TRUE(job::save_model(saved_, job_, model, {.rounds = 3}).ok());
      return;
    }
    ASSERT_TRUE(job::save_model(base_ / "adapter", job_, model, {.rounds = 3}).ok());
    const FlatParameters merged = job::merged_model(job_, model).value();
    ASSERT_TRUE(job::save_merged(saved_, job_, merged, base_ / "adapter").ok());
  }

  /// The model of the saved folder, as the job's task has its head.
  [[nodiscard]] std::unique_ptr<Transformer> saved_model() const {
    config::JobConfig job = job_;
    job.model.path = saved_.string();
    job.lora = {};
    return model_from(saved_, spec_of(job).value());
  }

  fs::path base_, saved_;
  config::JobConfig job_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, Results, ::testing::ValuesIn(results()),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST_P(Results, AreWhatTheLibraryMakesOfThem) {
  const json expected = read_json(kVectors / "results.json")["results"][GetParam().name];
  ASSERT_TRUE(expected.contains("cases")) << "the library was not asked";
  const json config = read_json(saved_ / "config.json");
  EXPECT_EQ(config["architectures"], json::array({expected["class"]}));
  EXPECT_EQ(expected["dtype"], "torch.float32");
  json labels = json::array();
  for (std::size_t i = 0; i < config.value("id2label", json::object()).size(); ++i)
    labels.push_back(config["id2label"][std::to_string(i)]);
  EXPECT_EQ(labels, expected["labels"]);

  const text::Tokenizer tokenizer = text::load_tokenizer(saved_).value();
  const auto model = saved_model();
  for (const json& c : expected["cases"]) {
    const auto ids = tokenizer.encode_framed(c["text"].get<std::string>(), 20);
    EXPECT_EQ(json(ids), c["ids"]) << c["text"];
    at::Tensor logits = model->logits(batch_of({Sequence{ids, 0}}), {}).to(at::kCPU);
    if (logits.dim() == 3) logits = logits[0];
    const auto rows = static_cast<std::int64_t>(c["logits"].size());
    logits = logits.slice(0, logits.size(0) - rows);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::size_t i = 0; i < c["logits"][static_cast<std::size_t>(r)].size(); ++i)
        EXPECT_NEAR(logits[r][static_cast<std::int64_t>(i)].item<double>(),
                    c["logits"][static_cast<std::size_t>(r)][i].get<double>(), 1e-4)
            << c["text"] << " row " << r << " output " << i;
  }
}

TEST_P(Results, NameNoPlaceOnAMachine) {
  for (const auto& entry : fs::recursive_directory_iterator(saved_)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(text.find(base_.parent_path().string()), std::string::npos) << entry.path();
    EXPECT_EQ(text.find("/srv/models"), std::string::npos) << entry.path();
  }
  EXPECT_TRUE(fs::exists(saved_ / "README.md"));
  EXPECT_EQ(read_json(saved_ / "tokenizer_config.json")["model_max_length"], 20);
}

TEST_P(Results, BeginANewRunAsTheyEnded) {
  config::JobConfig next = job_;
  next.model.path = saved_.string();
  next.lora = {};
  const FlatParameters again = initial_model(next).value();
  const FlatParameters file = job::load_parameters(saved_ / "model.safetensors").value();
  ASSERT_EQ(again.values.size(), file.values.size());
  auto at = again.values.begin();
  for (const ParameterShape& p : again.layout) {
    const auto values = floats_of(*WeightFiles::open(saved_).value().find(p.name)).value();
    EXPECT_TRUE(std::equal(values.begin(), values.end(), at)) << p.name;
    at += static_cast<std::ptrdiff_t>(p.count());
  }
}

}  // namespace
}  // namespace sotto::learning

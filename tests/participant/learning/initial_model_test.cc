// What a job's first model is: the weights of its folder, with their head by its labels, or random
// weights where the job says so; and which folders are refused before a run begins.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/config/head_labels.h"
#include "common/model/safetensors.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/job_model.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kWidth = 4;

/// A folder with a tiny BERT, whose head of three classes has the value 10 * row + column.
class InitialModel : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    std::ofstream(folder_ / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\nfilm\n";
    write_config(json::object());
    job_.name = "first";
    job_.model = {.path = folder_.string(), .max_length = 6};
    job_.task = {.type = "sequence_classification", .labels = {"bad", "fair", "good"}};
  }

  void write_config(const json& more) const {
    json config = {{"model_type", "bert"},     {"vocab_size", 5},
                   {"hidden_size", kWidth},    {"num_hidden_layers", 1},
                   {"num_attention_heads", 1}, {"intermediate_size", 4},
                   {"type_vocab_size", 1},     {"max_position_embeddings", 8}};
    config.merge_patch(more);
    std::ofstream(folder_ / "config.json") << config;
  }

  /// Weights as of a task with these labels; with `metadata` as a run writes it.
  void write_weights(const config::JobConfig& job,
                     const std::map<std::string, std::string>& metadata = {}) const {
    config::JobConfig random = job;
    random.model.initial = config::InitialModel::kRandom;
    FlatParameters weights = initial_model(random).value();
    auto at = weights.values.begin();
    for (const ParameterShape& p : weights.layout) {
      for (std::size_t i = 0; i < p.count() && p.name.starts_with("classifier."); ++i) {
        const std::size_t width = p.name.ends_with("weight") ? kWidth : 1;
        at[static_cast<std::ptrdiff_t>(i)] = static_cast<float>(10 * (i / width) + (i % width) + 1);
      }
      at += static_cast<std::ptrdiff_t>(p.count());
    }
    SOTTO_CHECK(write_safetensors(folder_ / "model.safetensors", weights, metadata).ok(), "write");
  }

  void label(const std::vector<std::string>& names) const {
    json labels = json::object();
    for (std::size_t i = 0; i < names.size(); ++i)
      labels[std::to_string(i)] = names[i];
    write_config({{"id2label", labels}});
  }

  [[nodiscard]] std::vector<float> values_of(const std::string& name) const {
    const FlatParameters model = initial_model(job_).value();
    auto at = model.values.begin();
    for (const ParameterShape& p : model.layout) {
      const auto end = at + static_cast<std::ptrdiff_t>(p.count());
      if (p.name == name) return {at, end};
      at = end;
    }
    return {};
  }

  [[nodiscard]] std::string refusal() const {
    const auto model = initial_model(job_);
    return model.ok() ? "" : model.error().message;
  }

  /// As the programs ask: with everything that a site would refuse.
  [[nodiscard]] std::string refusal_of_programs() const {
    const auto model = torch_models().initial_model(job_);
    return model.ok() ? "" : model.error().message;
  }

  [[nodiscard]] std::string source() const {
    return config::source_of_initial_model(job_, initial_model(job_).value()).value();
  }

  fs::path folder_;
  config::JobConfig job_;
};

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks\n" << part;
}

TEST_F(InitialModel, IsRandomOnlyWhereTheJobSaysSo) {
  expect_contains(refusal(), "the folder has no weights");
  expect_contains(refusal(), "has model.initial \"random\"");
  std::ofstream(folder_ / "pytorch_model.bin") << "x";
  expect_contains(refusal(), "pytorch_model.bin is in PyTorch's format");
  job_.model.initial = config::InitialModel::kRandom;
  job_.seed = 7;
  const std::vector<float> random = initial_model(job_).value().values;
  EXPECT_EQ(source(), "random, as the job says, seed 7");
  write_weights(job_);
  EXPECT_EQ(initial_model(job_).value().values, random) << "whatever the folder has";
  job_.model.initial = config::InitialModel::kWeights;
  EXPECT_NE(initial_model(job_).value().values, random);
}

TEST_F(InitialModel, TakesAHeadByTheNamesOfItsLabels) {
  label({"good", "bad", "fair"});
  write_weights(job_);
  EXPECT_EQ(values_of("classifier.bias"), (std::vector<float>{11, 21, 1}));
  EXPECT_EQ(values_of("classifier.weight"),
            (std::vector<float>{11, 12, 13, 14, 21, 22, 23, 24, 1, 2, 3, 4}));
  EXPECT_EQ(source(), "from the weights of model.safetensors");
  // The names in the file of a run are of its own head, also beside an older config.json.
  write_weights(job_, {{"label.0", "fair"}, {"label.1", "good"}, {"label.2", "bad"}});
  EXPECT_EQ(values_of("classifier.bias"), (std::vector<float>{21, 1, 11}));
}

TEST_F(InitialModel, TakesAHeadWithoutNamesInItsOrderAndSaysSo) {
  write_weights(job_);
  for (const auto& labels : {std::vector<std::string>(), {"LABEL_0", "LABEL_1", "LABEL_2"}}) {
    label(labels);
    EXPECT_EQ(values_of("classifier.bias"), (std::vector<float>{1, 11, 21}));
    expect_contains(source(), "the classes of the head have no names");
  }
}

TEST_F(InitialModel, AHeadWithOtherLabelsIsRefusedWithBothListsOrReplaced) {
  write_weights(job_);
  label({"good", "bad", "neutral"});
  expect_contains(refusal(),
                  "has the classes (good, bad, neutral), but task.labels makes the "
                  "classes (bad, fair, good); fair is not one of the head's");
  expect_contains(refusal(), "set model.new_head to true");
  job_.model.new_head = true;
  EXPECT_EQ(values_of("classifier.bias"), (std::vector<float>{0, 0, 0}));
  expect_contains(source(), "new: classifier.weight, classifier.bias");
  job_.model.new_head = false;
  label({"good", "bad"});
  expect_contains(refusal(), "has 3 outputs, but id2label of config.json names 2 (good, bad)");
  write_config({{"id2label", {{"0", "bad"}, {"2", "good"}, {"3", "fair"}}}});
  expect_contains(refusal(), "config.json: id2label has 3 entries, but no name for the class 1");
}

TEST_F(InitialModel, AHeadOfAnotherSizeNamesTheLabelsOfTheTask) {
  write_weights(job_);
  job_.task.labels = {"bad", "good"};
  expect_contains(refusal(),
                  "the head of the weights has 3 outputs, but task.labels makes 2 "
                  "classes (bad, good)");
  label({"good", "bad", "fair"});
  expect_contains(refusal(), "has 3 outputs (good, bad, fair), but task.labels makes 2");
  job_.model.new_head = true;
  EXPECT_EQ(values_of("classifier.bias"), (std::vector<float>{0, 0}));
}

TEST_F(InitialModel, ARegressionHasOneOutput) {
  write_weights(job_);
  job_.task = {.type = "sequence_regression", .target_min = 0, .target_max = 1};
  expect_contains(refusal(), "the head of the weights has 3 outputs, but that of the task has 1");
  expect_contains(refusal(), "set model.new_head to true");
  job_.model.new_head = true;
  EXPECT_EQ(values_of("classifier.bias"), std::vector<float>{0});
}

TEST_F(InitialModel, TagsAreTakenByTheirNamesToo) {
  job_.task = {.type = "token_classification", .labels = {"PER"}};
  label({"B-PER", "O", "I-PER"});
  write_weights(job_);
  EXPECT_EQ(values_of("classifier.bias"), (std::vector<float>{11, 1, 21}));
  label({"O", "B-LOC", "I-LOC"});
  expect_contains(refusal(),
                  "has the classes (O, B-LOC, I-LOC), but task.labels makes the classes "
                  "(O, B-PER, I-PER)");
}

TEST_F(InitialModel, AnEncoderWithoutAHeadGetsANewOneThatIsNamed) {
  job_.task = {.type = "token_classification", .labels = {"PER"}};
  config::JobConfig body = job_;
  body.model.initial = config::InitialModel::kRandom;
  FlatParameters weights = initial_model(body).value();
  while (weights.layout.back().name.starts_with("classifier.")) {
    weights.values.resize(weights.values.size() - weights.layout.back().count());
    weights.layout.pop_back();
  }
  SOTTO_CHECK(write_safetensors(folder_ / "model.safetensors", weights, {}).ok(), "write");
  EXPECT_EQ(source(),
            "from the weights of model.safetensors; new: classifier.weight, classifier.bias");
}

TEST_F(InitialModel, AProblemThatTheTaskDoesNotLearnIsRefused) {
  write_weights(job_);
  write_config({{"problem_type", "multi_label_classification"}});
  expect_contains(refusal(),
                  "problem_type is \"multi_label_classification\", but the task learns "
                  "one class for each text");
  job_.model.new_head = true;
  EXPECT_EQ(refusal(), "");
}

TEST_F(InitialModel, IsRefusedWithTheTokenizerOrLengthThatSitesWouldRefuse) {
  job_.model.initial = config::InitialModel::kRandom;
  EXPECT_EQ(refusal_of_programs(), "");
  job_.model.max_length = 9;
  expect_contains(refusal_of_programs(), "model.max_length must be from 2 to the model's 8");
  job_.model.max_length = 2;
  expect_contains(refusal_of_programs(), "above the number of tokens around a text, which is 2");
  job_.model.max_length = 6;
  std::ofstream(folder_ / "vocab.txt", std::ios::app) << "more\n";
  expect_contains(refusal_of_programs(),
                  "the tokenizer has 6 tokens, but config.json's vocab_size");
  std::ofstream(folder_ / "tokenizer.json") << R"({"model": {"type": "Unigram"}})";
  expect_contains(refusal_of_programs(), "\"Unigram\" is not supported");
  std::ofstream(folder_ / "config.json") << "version https://git-lfs.github.com/spec/v1\n";
  expect_contains(refusal_of_programs(), "config.json: is a Git LFS pointer");
}

}  // namespace
}  // namespace sotto::learning

// The folder of a saved model without its tensors: what its JSON files and its card say.
#include "common/job/saved_model.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/config/model_files.h"
#include "common/job/saved_config.h"
#include "tests/temporary_directory.h"

namespace sotto::job {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks\n" << part;
}

class SavedModel : public ::testing::Test {
 protected:
  SavedModel() {
    fs::create_directories(base_);
    write("config.json", {{"model_type", "bert"}});
    std::ofstream(base_ / "vocab.txt") << "[PAD]\n";
    job_.name = "tones";
    job_.model = {.path = base_.string(), .max_length = 24};
    job_.task = {.type = "sequence_classification", .labels = {"good", "bad"}};
  }

  void write(const std::string& name, const json& content) const {
    std::ofstream(base_ / name) << content;
  }

  [[nodiscard]] json config() const { return json::parse(saved_config(job_).value().text); }

  [[nodiscard]] json tokenizer() const { return json::parse(saved_tokenizer_config(job_).value()); }

  std::string save(const RunFacts& run = {}) const {
    EXPECT_TRUE(save_model(saved_, job_, {.layout = {{"w", {1}}}, .values = {1}}, run).ok());
    return contents(saved_ / "README.md");
  }

  TemporaryDirectory folder_;
  fs::path base_ = folder_ / "base", saved_ = folder_ / "saved";
  config::JobConfig job_;
};

TEST_F(SavedModel, ConfigHasTheClassAndTheLabelsOfTheTask) {
  write("config.json", {{"model_type", "bert"},
                        {"architectures", {"BertForMaskedLM"}},
                        {"id2label", {{"0", "x"}, {"1", "y"}, {"2", "z"}}},
                        {"label2id", {{"x", 0}, {"y", 1}, {"z", 2}}},
                        {"num_labels", 3},
                        {"problem_type", "multi_label_classification"},
                        {"torch_dtype", "bfloat16"},
                        {"hidden_size", 8}});
  EXPECT_EQ(config(), (json{{"model_type", "bert"},
                            {"architectures", {"BertForSequenceClassification"}},
                            {"id2label", {{"0", "good"}, {"1", "bad"}}},
                            {"label2id", {{"good", 0}, {"bad", 1}}},
                            {"problem_type", "single_label_classification"},
                            {"dtype", "float32"},
                            {"torch_dtype", "float32"},
                            {"hidden_size", 8}}));
  job_.task = {.type = "token_classification", .labels = {"PER"}};
  EXPECT_EQ(config()["architectures"], json::array({"BertForTokenClassification"}));
  EXPECT_EQ(config()["id2label"], (json{{"0", "O"}, {"1", "B-PER"}, {"2", "I-PER"}}));
  EXPECT_FALSE(config().contains("problem_type"));
  job_.task = {.type = "sequence_regression", .target_max = 1};
  EXPECT_EQ(config()["problem_type"], "regression");
  EXPECT_EQ(config()["id2label"], (json{{"0", "LABEL_0"}}));
}

TEST_F(SavedModel, ConfigOfACausalModelNamesItsClassAndItsPadding) {
  const auto class_of = [&](const char* type) {
    write("config.json", {{"model_type", type}, {"eos_token_id", {7, 8}}});
    return config()["architectures"][0].get<std::string>();
  };
  EXPECT_EQ(class_of("qwen2"), "Qwen2ForSequenceClassification");
  EXPECT_EQ(config()["pad_token_id"], 7);
  job_.task = {.type = "causal_language_modeling"};
  EXPECT_EQ(class_of("gpt2"), "GPT2LMHeadModel");
  EXPECT_EQ(class_of("llama"), "LlamaForCausalLM");
  EXPECT_FALSE(config().contains("pad_token_id"));
  EXPECT_FALSE(config().contains("id2label"));
}

TEST_F(SavedModel, PoolingByTheMeanBringsItsClassAlong) {
  write("config.json", {{"model_type", "bert"}, {"classifier_pooling", "mean"}});
  EXPECT_EQ(config()["architectures"], json::array({"BertMeanPoolingForSequenceClassification"}));
  EXPECT_EQ(config()["auto_map"]["AutoModelForSequenceClassification"],
            "modeling_sotto.BertMeanPoolingForSequenceClassification");
  expect_contains(save(), "trust_remote_code=True");
  expect_contains(contents(saved_ / "modeling_sotto.py"),
                  "class BertMeanPoolingForSequenceClassification(BertPreTrainedModel):");
  job_.task = {.type = "token_classification", .labels = {"PER"}};
  EXPECT_FALSE(config().contains("auto_map")) << "tags are not pooled";
}

TEST_F(SavedModel, NoFileNamesAPlaceOnAMachine) {
  write(
      "config.json",
      {{"model_type", "bert"}, {"_name_or_path", "/home/ada/bert"}, {"cache", "C:\\models\\bert"}});
  write("tokenizer_config.json", {{"name_or_path", "../bert"},
                                  {"tokenizer_file", "/root/.cache/tokenizer.json"},
                                  {"unk_token", "[UNK]"},
                                  {"note", "~/x"}});
  job_.lora = {.r = 2, .alpha = 8, .target_modules = {"query"}};
  save();
  for (const auto& entry : fs::directory_iterator(saved_))
    for (const char* place : {"/home", "C:", "../", "/root", "~/", folder_.path().c_str()})
      EXPECT_EQ(contents(entry.path()).find(place), std::string::npos) << entry.path();
  const json adapter = json::parse(contents(saved_ / "adapter_config.json"));
  EXPECT_TRUE(adapter["base_model_name_or_path"].is_null());
  EXPECT_TRUE(adapter["lora_alpha"].is_number_integer()) << adapter["lora_alpha"];
  write("config.json", {{"model_type", "bert"}, {"_name_or_path", "google/bert_tiny"}});
  expect_contains(save(), "base_model: google/bert_tiny\n");
  EXPECT_EQ(json::parse(contents(saved_ / "adapter_config.json"))["base_model_name_or_path"],
            "google/bert_tiny");
}

TEST_F(SavedModel, TokenizerFilesAreTakenAlongAndSettingsAreWritten) {
  EXPECT_EQ(tokenizer(), (json{{"do_lower_case", true},
                               {"strip_accents", nullptr},
                               {"tokenize_chinese_chars", true},
                               {"tokenizer_class", "BertTokenizer"},
                               {"model_max_length", 24}}));
  write("tokenizer_config.json", {{"do_lower_case", false}, {"model_max_length", 512}});
  EXPECT_EQ(tokenizer(), (json{{"do_lower_case", false},
                               {"tokenizer_class", "BertTokenizer"},
                               {"model_max_length", 24}}));
  const std::vector<std::string> files{
      "special_tokens_map.json", "added_tokens.json",   "merges.txt",
      "generation_config.json",  "chat_template.jinja", "tokenizer.model"};
  for (const std::string& file : files)
    write(file, json::object());
  write("training_args.bin", json::object());
  save();
  for (const std::string& file : files)
    EXPECT_TRUE(fs::exists(saved_ / file)) << file;
  EXPECT_FALSE(fs::exists(saved_ / "training_args.bin"));
}

TEST_F(SavedModel, ATokenizerJsonAloneIsReadAsItIsWithItsSpecialTokens) {
  write("tokenizer.json",
        {{"added_tokens",
          {{{"id", 0}, {"content", "<s>"}}, {{"id", 1}, {"content", "<|endoftext|>"}}}}});
  EXPECT_EQ(tokenizer(), (json{{"bos_token", "<s>"},
                               {"eos_token", "<|endoftext|>"},
                               {"pad_token", "<|endoftext|>"},
                               {"tokenizer_class", "PreTrainedTokenizerFast"},
                               {"model_max_length", 24}}));
}

/// Sites compare the hashes of their own files with those in the job.
TEST_F(SavedModel, TheFolderThatARunBeginsWithHasTheFilesOfTheModelFolderAsTheyAre) {
  write("config.json", {{"model_type", "bert"}, {"id2label", {{"0", "bad"}, {"1", "good"}}}});
  write("tokenizer_config.json", {{"do_lower_case", false}});
  ASSERT_TRUE(save_initial_model(saved_, job_, {.layout = {{"w", {1}}}, .values = {1}}).ok());
  EXPECT_EQ(config::hash_model_files(saved_).value(), config::hash_model_files(base_).value());
  EXPECT_FALSE(fs::exists(saved_ / "README.md"));
}

TEST_F(SavedModel, TheCardHasTheFactsOfTheRun) {
  std::ofstream(base_ / "README.md") << "---\nlicense: apache-2.0\nlanguage: en\n---\n# Base\n";
  RunFacts run{.rounds = 12,
               .members = 4,
               .evaluation = tasks::Evaluation{},  // a run publishes no number of units
               .epsilon = 7.941,
               .finished_unix_s = 86400};
  run.evaluation->figures.push_back({job_.make_task()->headline(), 0.875});
  const std::string card = save(run);
  for (const char* part :
       {"---\nlibrary_name: transformers\nlicense: apache-2.0\npipeline_tag: text-classification\n",
        "- differential-privacy\n---\n", "The outputs are, in their order: good, bad.",
        "The job \"tones\" made this model in 12 rounds of a federation of 4 members",
        "The run ended on 1970-01-02.", "| accuracy | 87.5 % |", "epsilon 7.95 at delta 1e-05",
        "adding or removing one labelled text of one member",
        "AutoModelForSequenceClassification.from_pretrained(FOLDER)",
        "sotto-participant predict FOLDER"})
    expect_contains(card, part);
  EXPECT_EQ(card.find("language: en"), std::string::npos) << "the data are the members'";
  EXPECT_EQ(card.find(folder_.path().string()), std::string::npos);
  job_.differential_privacy.enabled = false;
  expect_contains(save(run), "The run had no differential privacy");
  // What was made from a run's model keeps its facts.
  save(run);
  expect_contains(run_sections_of(saved_ / "README.md"), "in 12 rounds");
  EXPECT_EQ(run_sections_of(base_ / "README.md"), "");
}

}  // namespace
}  // namespace sotto::job

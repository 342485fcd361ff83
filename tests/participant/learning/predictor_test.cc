// What a trained model answers: the figures of the Transformers library, whatever texts are
// computed together; adapters; and which folders are refused.
#include <algorithm>
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/job/saved_model.h"
#include "common/model/safetensors.h"
#include "participant/learning/torch_models.h"
#include "tests/participant/learning/own_folder.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using training::Prediction;
using training::PredictionInput;

const fs::path kCheckpoints = SOTTO_SOURCE_DIR "/tests/vectors/checkpoints";

json json_in(const fs::path& file) {
  std::ifstream in(file);
  return json::parse(in);
}

void expect_near(const std::vector<float>& found, const json& expected, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(found[i], expected[i].get<double>(), 1e-4) << what << " " << i;
}

std::unique_ptr<training::Predictor> opened(const training::PredictorPlan& plan) {
  auto predictor = open_predictor(plan);
  SOTTO_CHECK(predictor.ok(), predictor.error().message);
  return std::move(predictor).value();
}

/// A sentence of a manifest as a text and its words.
PredictionInput sentence_of(const json& words) {
  PredictionInput out;
  for (const json& word : words) {
    if (!out.text.empty()) out.text += " ";
    const std::size_t begin = out.text.size();
    out.text += word.get<std::string>();
    out.words.push_back({begin, out.text.size()});
  }
  return out;
}

class LibrarysAnswers : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Checkpoints, LibrarysAnswers,
                         ::testing::Values("bert-seq-bf16", "bert-tok", "gpt2-lm", "llama-seq"),
                         [](const auto& name) {
                           std::string out = name.param;
                           std::ranges::replace(out, '-', '_');
                           return out;
                         });

TEST_P(LibrarysAnswers, AreGivenInTheOrderOfTheTextsWhateverIsComputedTogether) {
  const json manifest = json_in(kCheckpoints / GetParam() / "manifest.json");
  const auto predictor = opened({.folder = kCheckpoints / GetParam()});
  EXPECT_EQ(predictor->task().type, manifest["kind"]);
  std::vector<PredictionInput> texts;
  for (const json& c : manifest["cases"])
    texts.push_back(c.contains("text") ? PredictionInput{.text = c["text"]}
                                       : sentence_of(c["words"]));
  for (const std::size_t batch : {1U, 2U, 32U}) {
    const std::vector<Prediction> answers = predictor->predict(texts, batch).value();
    ASSERT_EQ(answers.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const json& c = manifest["cases"][i];
      EXPECT_EQ(answers[i].ids, c["input_ids"].get<std::vector<std::int32_t>>());
      EXPECT_FALSE(answers[i].cut);
      if (c.contains("token_log_probs")) {
        expect_near(answers[i].log_probabilities, c["token_log_probs"], texts[i].text);
      } else if (c.contains("words")) {
        for (std::size_t word = 0; word < answers[i].words.size(); ++word)
          expect_near(answers[i].words[word].logits,
                      c["logits"][c["first_piece"][word].get<std::size_t>()], texts[i].text);
      } else {
        expect_near(answers[i].logits, c["logits"], texts[i].text);
      }
    }
  }
}

TEST(Predictor, CutsALongTextAndSaysSo) {
  const auto predictor = opened({.folder = kCheckpoints / "bert-seq-bf16", .max_length = 6});
  const std::vector<PredictionInput> texts{{.text = "play the song little robin"}, {.text = "ok"}};
  const std::vector<Prediction> answers = predictor->predict(texts, 8).value();
  EXPECT_TRUE(answers[0].cut);
  EXPECT_EQ(answers[0].ids.size(), 6U);
  EXPECT_EQ(answers[0].ids.back(), answers[1].ids.back()) << "the frame is kept";
  EXPECT_FALSE(answers[1].cut);
}

TEST(Predictor, ReadsALongSentenceInWindows) {
  std::string text;
  for (int i = 0; i < 100; ++i)
    text += "Sarah Brightman sings in London . ";
  const auto predictor = opened({.folder = kCheckpoints / "bert-tok"});
  const std::vector<PredictionInput> texts{{.text = text}};
  const std::vector<Prediction> answers = predictor->predict(texts, 3).value();
  ASSERT_EQ(answers[0].words.size(), 600U);
  for (const training::WordPrediction& word : answers[0].words)
    EXPECT_EQ(word.logits.size(), 5U);
  EXPECT_GT(answers[0].ids.size(), 96U);
}

TEST(Predictor, ATextWithoutATokenHasNoAnswer) {
  const auto language = opened({.folder = kCheckpoints / "gpt2-lm"});
  const std::vector<PredictionInput> texts{{.text = ""}, {.text = "ok"}};
  const std::vector<Prediction> answers = language->predict(texts, 8).value();
  EXPECT_TRUE(answers[0].ids.empty());
  EXPECT_TRUE(answers[0].log_probabilities.empty());
  EXPECT_EQ(answers[1].log_probabilities.size(), 1U);
  const auto classifier = opened({.folder = kCheckpoints / "bert-seq-bf16"});
  EXPECT_EQ(classifier->predict(texts, 8).value()[0].logits.size(), 3U) << "the frame is a text";
}

/// A folder with a copy of a checkpoint.
fs::path copy_of(const std::string& checkpoint) {
  fs::path folder = own_folder();
  for (const auto& entry : fs::directory_iterator(kCheckpoints / checkpoint))
    fs::copy_file(entry.path(), folder / entry.path().filename());
  return folder;
}

void change_config(const fs::path& folder, const json& changes) {
  json config = json_in(folder / "config.json");
  config.merge_patch(changes);
  std::ofstream(folder / "config.json") << config;
}

/// Leaves out the parameters whose name has this beginning.
void leave_out(const fs::path& folder, const std::string& beginning) {
  const FlatParameters whole = read_safetensors(folder / "model.safetensors").value();
  FlatParameters some;
  auto at = whole.values.begin();
  for (const ParameterShape& p : whole.layout) {
    const auto end = at + static_cast<std::ptrdiff_t>(p.count());
    if (!p.name.starts_with(beginning)) {
      some.layout.push_back(p);
      some.values.insert(some.values.end(), at, end);
    }
    at = end;
  }
  ASSERT_TRUE(write_safetensors(folder / "model.safetensors", some, {}).ok());
}

void expect_refused(const training::PredictorPlan& plan, const std::string& why) {
  const auto predictor = open_predictor(plan);
  ASSERT_FALSE(predictor.ok()) << why;
  EXPECT_NE(predictor.error().message.find(why), std::string::npos) << predictor.error().message;
  EXPECT_NE(predictor.error().message.find(plan.folder.string()), std::string::npos)
      << predictor.error().message;
}

TEST(Predictor, RefusesAFolderThatIsNoTrainedModelWithWhatIsWrong) {
  expect_refused({.folder = "/nonexistent"}, "is not a folder");
  expect_refused({.folder = kCheckpoints / "bert-tok", .max_length = 97}, "has 96 positions");
  expect_refused({.folder = kCheckpoints / "bert-tok", .max_length = 2}, "leave no room");
  expect_refused({.folder = kCheckpoints / "gpt2-lm", .task = "sequence_classification"},
                 "has no head for the task sequence_classification");
  expect_refused({.folder = kCheckpoints / "bert-tok", .task = "causal_language_modeling"},
                 "is not a causal language model");
  expect_refused({.folder = kCheckpoints / "bert-tok", .base = kCheckpoints}, "holds no adapter");
  expect_refused({.folder = kCheckpoints / "bert-seq-bf16", .task = "token_classification"},
                 "\"negative\", which is not a tag of IOB2");
  const fs::path folder = copy_of("bert-seq-bf16");
  change_config(folder, {{"model_type", "mamba"}});
  expect_refused({.folder = folder}, "model_type is \"mamba\"; supported:");
  change_config(folder, {{"model_type", "bert"}});
  leave_out(folder, "bert.pooler.");
  expect_refused({.folder = folder}, "has no tensor bert.pooler.dense.weight");
  leave_out(folder, "classifier.");
  expect_refused({.folder = folder}, "has no head for the task sequence_classification");
}

TEST(Predictor, TakesTheLengthFromTheTokenizersSettings) {
  const fs::path folder = copy_of("bert-seq-bf16");
  EXPECT_EQ(opened({.folder = folder})->max_length(), 96U) << "10^30 is no limit";
  json settings = json_in(folder / "tokenizer_config.json");
  settings["model_max_length"] = 24;
  std::ofstream(folder / "tokenizer_config.json") << settings;
  EXPECT_EQ(opened({.folder = folder})->max_length(), 24U);
  EXPECT_EQ(opened({.folder = folder, .max_length = 48})->max_length(), 48U);
}

class AdaptedAnswers : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Checkpoints, AdaptedAnswers,
                         ::testing::Values("bert-seq-bf16", "gpt2-lm", "llama-seq"),
                         [](const auto& name) {
                           std::string out = name.param;
                           std::ranges::replace(out, '-', '_');
                           return out;
                         });

/// The same from the result of a LoRA run and its base model as from the merged model.
TEST_P(AdaptedAnswers, AreThoseOfTheMergedModel) {
  const fs::path base = kCheckpoints / GetParam(), folder = own_folder();
  config::JobConfig job;
  job.name = "adapted";
  job.model.path = base;
  job.model.max_length = 32;
  job.task = {.type = json_in(base / "manifest.json")["kind"]};
  if (job.task.type != "causal_language_modeling")
    job.task.labels = {"negative", "neutral", "positive"};
  job.lora.r = 2;
  job.lora.alpha = 3;
  job.lora.target_modules = {"all-linear"};
  FlatParameters trained = initial_model(job).value();
  for (std::size_t i = 0; i < trained.values.size(); ++i)
    trained.values[i] = 0.1F * std::sin(static_cast<float>(i));
  ASSERT_TRUE(job::save_model(folder / "adapter", job, trained, {}).ok());
  const FlatParameters merged = job::merged_model(job, trained).value();
  ASSERT_TRUE(job::save_merged(folder / "merged", job, merged, folder / "adapter").ok());
  expect_refused({.folder = folder / "adapter"}, "name the folder of its base model with --base");

  const std::vector<PredictionInput> texts{{.text = "play the song little robin"},
                                           {.text = "book a table"}};
  const auto answers_of = [&](const training::PredictorPlan& plan) {
    return opened(plan)->predict(texts, 8).value();
  };
  const auto adapted = answers_of({.folder = folder / "adapter", .base = base});
  const auto expected = answers_of({.folder = folder / "merged"});
  const auto before = answers_of({.folder = base});
  double moved = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(adapted[i].ids, expected[i].ids);
    expect_near(adapted[i].logits, expected[i].logits, texts[i].text);
    expect_near(adapted[i].log_probabilities, expected[i].log_probabilities, texts[i].text);
    for (std::size_t k = 0; k < before[i].logits.size(); ++k)
      moved = std::max<double>(moved, std::abs(before[i].logits[k] - adapted[i].logits[k]));
    for (std::size_t k = 0; k < before[i].log_probabilities.size(); ++k)
      moved = std::max<double>(
          moved, std::abs(before[i].log_probabilities[k] - adapted[i].log_probabilities[k]));
  }
  EXPECT_GT(moved, 1e-2) << "the adapter changes nothing: this tests nothing";
}

TEST(Predictor, OneOutputIsARegression) {
  const fs::path folder = copy_of("bert-seq-bf16");
  FlatParameters weights = read_safetensors(folder / "model.safetensors").value();
  std::size_t at = 0;
  FlatParameters one;
  for (const ParameterShape& p : weights.layout) {
    const auto begin = weights.values.begin() + static_cast<std::ptrdiff_t>(at);
    at += p.count();
    ParameterShape shape = p;
    if (p.name.starts_with("classifier.")) shape.shape[0] = 1;
    one.values.insert(one.values.end(), begin, begin + static_cast<std::ptrdiff_t>(shape.count()));
    one.layout.push_back(shape);
  }
  ASSERT_TRUE(write_safetensors(folder / "model.safetensors", one, {}).ok());
  change_config(folder, {{"id2label", nullptr}});
  const json manifest = json_in(folder / "manifest.json");
  const auto predictor = opened({.folder = folder});
  EXPECT_EQ(predictor->task().type, "sequence_regression");
  for (const json& c : manifest["cases"]) {
    const std::vector<PredictionInput> texts{{.text = c["text"]}};
    EXPECT_NEAR(predictor->predict(texts, 1).value()[0].logits[0], c["logits"][0].get<double>(),
                1e-4);
  }
}

}  // namespace
}  // namespace sotto::learning

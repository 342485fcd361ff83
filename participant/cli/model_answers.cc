#include "participant/cli/model_answers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "common/base/utf8.h"
#include "common/cli/command_line.h"
#include "common/tasks/registry.h"
#include "participant/data/progress_clock.h"
#include "participant/training/learning_library.h"

namespace sotto::participant {

namespace {

using training::Prediction;
using training::PredictionInput;

/// The batches that are read before texts of similar length are put together.
constexpr std::size_t kBatchesOfWindow = 16;

PredictionInput question_of(const InputText& text) {
  PredictionInput out{.text = text.text};
  std::size_t at = 0;  // words are joined by one blank each
  for (const std::string& word : text.words) {
    out.words.push_back({at, at + word.size()});
    at += word.size() + 1;
  }
  return out;
}

}  // namespace

std::string model_folder(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path inner = fs::path(folder) / "model";
  const bool is_result =
      !fs::exists(fs::path(folder) / "config.json", ignored) && fs::is_directory(inner, ignored);
  return is_result ? inner.string() : folder;
}

void add_model_options(cli::Command& command, ModelOptions& options) {
  command
      .add_option(
          "model", options.folder,
          "Folder of the model: the result of a run, or any folder in the layout of Hugging "
          "Face with config.json, model.safetensors and a tokenizer")
      ->required();
  command.add_option(
      "--base", options.base,
      "Folder of the base model, where MODEL holds a LoRA adapter; they are merged in "
      "memory");
  std::vector<std::string> tasks;
  for (const std::string_view name : sotto::tasks::task_names())
    tasks.emplace_back(name);
  command
      .add_option("--task", options.plan.task,
                  "Task of the model, where `architectures` in config.json does not tell it")
      ->one_of(tasks);
  command
      .add_option("--max-length", options.plan.max_length,
                  "Most tokens of a text that are read; 0: model_max_length in "
                  "tokenizer_config.json, or the positions of the model")
      ->capture_default_str();
  command.add_option("--batch", options.batch, "Number of texts that are computed at once")
      ->capture_default_str()
      ->in_range(1, 65536);
  command
      .add_option("--threads", options.threads,
                  "Number of threads for the computation; 0: one for each processor")
      ->capture_default_str()
      ->in_range(0, 1024);
}

std::unique_ptr<training::Predictor> open_model(const ModelOptions& options) {
  training::ModelProvider& models = training::learning_library();
  models.use_threads(options.threads > 0 ? options.threads
                                         : std::max(1U, std::thread::hardware_concurrency()));
  training::PredictorPlan plan = options.plan;
  plan.folder = model_folder(options.folder);
  plan.base = options.base;
  return cli::or_stop(models.open_predictor(plan));
}

std::string fixed_text(double value, int digits) {
  std::array<char, 400> out{};
  std::snprintf(out.data(), out.size(), "%.*f", digits, value);
  return out.data();
}

std::string short_text(double value, int digits) {
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), "%.*g", digits, value);
  return out.data();
}

std::vector<double> probabilities_of(std::span<const float> logits, bool multi_label) {
  std::vector<double> out;
  if (multi_label) {
    for (const float logit : logits)
      out.push_back(1 / (1 + std::exp(-static_cast<double>(logit))));
    return out;
  }
  const auto most = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0;
  for (const float logit : logits) {
    out.push_back(std::exp(static_cast<double>(logit) - most));
    sum += out.back();
  }
  for (double& p : out)
    p /= sum;
  return out;
}

std::size_t largest(std::span<const float> values) {
  return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

std::vector<std::int64_t> tags_of(const Prediction& prediction, const tasks::TagClasses& classes) {
  std::vector<std::int64_t> out;
  for (const training::WordPrediction& word : prediction.words)
    out.push_back(word.logits.empty() ? 0 : classes.of_class[largest(word.logits)]);
  return out;
}

std::vector<FoundEntity> entities_in(const std::string& text, const Prediction& prediction,
                                     const tasks::TagClasses& classes) {
  const auto characters = [&](std::size_t bytes) {
    return utf8_length(std::string_view(text).substr(0, bytes));
  };
  std::vector<FoundEntity> out;
  for (const tasks::Entity& e : tasks::entities_of(tags_of(prediction, classes))) {
    const std::size_t begin = prediction.words[e.begin].place.begin;
    const std::size_t end = prediction.words[e.end - 1].place.end;
    double sum = 0;
    for (std::size_t word = e.begin; word < e.end; ++word) {
      const std::vector<double> p = probabilities_of(prediction.words[word].logits);
      sum += *std::ranges::max_element(p);
    }
    out.push_back({.begin = characters(begin),
                   .end = characters(end),
                   .text = text.substr(begin, end - begin),
                   .label = classes.labels[e.label],
                   .probability = sum / static_cast<double>(e.end - e.begin)});
  }
  return out;
}

/// A window of one text where texts are computed one by one, so that a line is answered at once.
std::vector<InputText> Answering::read_window() {
  const std::size_t most = batch_ == 1 ? 1 : kBatchesOfWindow * batch_;
  std::vector<InputText> out;
  while (out.size() < most) {
    std::optional<InputText> text = input_.next();
    if (!text) break;
    out.push_back(std::move(*text));
  }
  return out;
}

void Answering::run() {
  ProgressBar bar("answering");
  for (;;) {
    const std::vector<InputText> texts = read_window();
    if (texts.empty()) break;
    std::vector<PredictionInput> questions;
    for (const InputText& text : texts)
      questions.push_back(question_of(text));
    const std::vector<Prediction> answers = cli::or_stop(model_.predict(questions, batch_));
    for (std::size_t i = 0; i < texts.size(); ++i, ++done_) {
      if (answers[i].ids.empty())
        throw StartupError("text " + std::to_string(done_ + 1) +
                           " gives no token, so that the model cannot answer it");
      cut_ += answers[i].cut ? 1U : 0U;
      take(done_, texts[i], answers[i]);
    }
    std::fflush(stdout);  // what reads the answers may wait for them
    if (shows_progress_) bar.show(input_.part_done(), done_, "texts");
  }
  if (cut_ > 0)
    std::fprintf(stderr, "%llu of %llu texts have more than %llu tokens and were cut\n",
                 static_cast<unsigned long long>(cut_), static_cast<unsigned long long>(done_),
                 static_cast<unsigned long long>(model_.max_length()));
}

}  // namespace sotto::participant

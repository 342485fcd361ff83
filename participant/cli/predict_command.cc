#include "participant/cli/predict_command.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "participant/cli/model_answers.h"
#include "participant/cli/text_input.h"

namespace sotto::participant {

namespace {

using nlohmann::json;
using training::Prediction;

struct PredictArguments {
  ModelOptions model;
  InputOptions input;
  bool json = false;
};

void write_line(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

void write_object(const json& line) {
  write_line(line.dump(-1, ' ', false, json::error_handler_t::replace));
}

/// Returns a decimal number of nine digits, from which the float is read back.
double decimal(float value) {
  return std::strtod(short_text(static_cast<double>(value), 9).c_str(), nullptr);
}

json decimals(const std::vector<float>& values) {
  json out = json::array();
  for (const float value : values)
    out.push_back(decimal(value));
  return out;
}

/// Returns the text as the last column of a line: tabs and line ends become blanks.
std::string column_of(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

json object_of(std::uint64_t index, const Prediction& answer) {
  return {{"index", index}, {"ids", answer.ids}, {"cut", answer.cut}};
}

/// One label of a text, or those above one half where a text may have several.
class Classes final : public Answering {
 public:
  Classes(training::Predictor& model, TextInput& input, const PredictArguments& args)
      : Answering(model, input, args.model.batch, ::isatty(STDOUT_FILENO) == 0),
        task_(model.task()),
        json_(args.json) {}

 private:
  void take(std::uint64_t index, const InputText& text, const Prediction& answer) override {
    const std::vector<double> p = probabilities_of(answer.logits, task_.multi_label);
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < p.size() && task_.multi_label; ++i)
      if (p[i] > 0.5) chosen.push_back(i);
    if (!task_.multi_label) chosen.push_back(largest(answer.logits));
    if (json_) return write_object(described(index, answer, p, chosen));
    std::string labels, probabilities;
    for (const std::size_t i : chosen) {
      labels += (labels.empty() ? "" : ",") + task_.classes[i];
      probabilities += (probabilities.empty() ? "" : ",") + fixed_text(p[i], 4);
    }
    write_line(labels + "\t" + probabilities + "\t" + column_of(text.text));
  }

  [[nodiscard]] json described(std::uint64_t index, const Prediction& answer,
                               const std::vector<double>& p,
                               const std::vector<std::size_t>& chosen) const {
    json out = object_of(index, answer);
    out["logits"] = decimals(answer.logits);
    for (std::size_t i = 0; i < p.size(); ++i)
      out["probabilities"][task_.classes[i]] = p[i];
    if (task_.multi_label) {
      out["labels"] = json::array();
      for (const std::size_t i : chosen)
        out["labels"].push_back(task_.classes[i]);
    } else {
      out["label"] = task_.classes[chosen.front()];
      out["probability"] = p[chosen.front()];
    }
    return out;
  }

  const SavedTask& task_;
  bool json_;
};

class Values final : public Answering {
 public:
  Values(training::Predictor& model, TextInput& input, const PredictArguments& args)
      : Answering(model, input, args.model.batch, ::isatty(STDOUT_FILENO) == 0), json_(args.json) {}

 private:
  void take(std::uint64_t index, const InputText& text, const Prediction& answer) override {
    if (!json_)
      return write_line(short_text(static_cast<double>(answer.logits[0]), 6) + "\t" +
                        column_of(text.text));
    json out = object_of(index, answer);
    out["value"] = decimal(answer.logits[0]);
    write_object(out);
  }

  bool json_;
};

class Entities final : public Answering {
 public:
  Entities(training::Predictor& model, TextInput& input, const PredictArguments& args)
      : Answering(model, input, args.model.batch, ::isatty(STDOUT_FILENO) == 0),
        names_(model.task().classes),
        classes_(cli::or_stop(tasks::tag_classes(names_))),
        json_(args.json) {}

 private:
  void take(std::uint64_t index, const InputText& text, const Prediction& answer) override {
    const std::vector<FoundEntity> found = entities_in(text.text, answer, classes_);
    if (json_) return write_object(described(index, text, answer, found));
    for (const FoundEntity& e : found)
      write_line(std::to_string(index + 1) + "\t" + e.label + "\t" + fixed_text(e.probability, 4) +
                 "\t" + std::to_string(e.begin) + "\t" + std::to_string(e.end) + "\t" +
                 column_of(e.text));
  }

  [[nodiscard]] json described(std::uint64_t index, const InputText& text, const Prediction& answer,
                               const std::vector<FoundEntity>& found) const {
    json out = object_of(index, answer);
    out.erase("cut");  // a long text is read in windows
    out["entities"] = json::array();
    for (const FoundEntity& e : found)
      out["entities"].push_back({{"label", e.label},
                                 {"probability", e.probability},
                                 {"begin", e.begin},
                                 {"end", e.end},
                                 {"text", e.text}});
    for (const training::WordPrediction& word : answer.words)
      out["words"].push_back(
          {{"text", text.text.substr(word.place.begin, word.place.end - word.place.begin)},
           {"tag", word.logits.empty() ? "O" : names_[largest(word.logits)]},
           {"logits", decimals(word.logits)}});
    return out;
  }

  std::vector<std::string> names_;
  tasks::TagClasses classes_;
  bool json_;
};

/// How probable a language model finds each text.
class Likelihoods final : public Answering {
 public:
  Likelihoods(training::Predictor& model, TextInput& input, const PredictArguments& args)
      : Answering(model, input, args.model.batch, ::isatty(STDOUT_FILENO) == 0), json_(args.json) {}

 private:
  void take(std::uint64_t index, const InputText& text, const Prediction& answer) override {
    const std::vector<float>& each = answer.log_probabilities;
    const double sum = std::accumulate(each.begin(), each.end(), 0.0);
    const double tokens = static_cast<double>(each.size());
    const double perplexity = each.empty() ? 1 : std::exp(-sum / tokens);
    if (!json_)
      return write_line(short_text(perplexity, 6) + "\t" + short_text(sum, 6) + "\t" +
                        std::to_string(each.size()) + "\t" + column_of(text.text));
    json out = object_of(index, answer);
    out["token_log_probabilities"] = decimals(each);
    out["log_probability"] = sum;
    out["perplexity"] = perplexity;
    write_object(out);
  }

  bool json_;
};

std::unique_ptr<Answering> answering(training::Predictor& model, TextInput& input,
                                     const PredictArguments& args) {
  const std::string& type = model.task().type;
  if (type == "token_classification") return std::make_unique<Entities>(model, input, args);
  if (type == "sequence_regression") return std::make_unique<Values>(model, input, args);
  if (type == "causal_language_modeling") return std::make_unique<Likelihoods>(model, input, args);
  return std::make_unique<Classes>(model, input, args);
}

void run(const PredictArguments& args) {
  const std::unique_ptr<training::Predictor> model = open_model(args.model);
  const std::unique_ptr<TextInput> input = open_texts(args.input, {});
  answering(*model, *input, args)->run();
}

}  // namespace

void add_predict_command(cli::Command& app) {
  auto args = std::make_shared<PredictArguments>();
  cli::Command* sub = app.add_subcommand(
      "predict",
      "Answer texts with a trained model. A line of the output is, by the task of the model: "
      "label, probability and text; value and text (regression); number of the text, label, "
      "probability, first and past-the-last character, and words of an entity (token "
      "classification); or perplexity, log probability, number of predicted tokens and text "
      "(language model).\n"
      "Example: sotto-participant predict runs/quickstart texts.txt");
  add_model_options(*sub, args->model);
  sub->add_option("file", args->input.file,
                  "File with a text in each line, CSV, TSV, JSONL or CoNLL; - reads lines from the "
                  "standard input")
      ->required();
  add_input_options(*sub, args->input, /*labelled=*/false);
  sub->add_flag("--json", args->json,
                "Print one JSON object for each text, with token ids, logits and probabilities");
  sub->callback([args] { run(*args); });
}

}  // namespace sotto::participant

#include "participant/cli/evaluate_command.h"

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "participant/cli/model_answers.h"
#include "participant/cli/model_scores.h"
#include "participant/cli/text_input.h"

namespace sotto::participant {

namespace {

struct EvaluateArguments {
  ModelOptions model;
  InputOptions input;
  bool json = false;
};

class Scoring final : public Answering {
 public:
  Scoring(training::Predictor& model, TextInput& input, std::uint32_t batch, ModelScores& scores)
      : Answering(model, input, batch, /*shows_progress=*/true), scores_(scores) {}

 private:
  void take(std::uint64_t index, const InputText& text,
            const training::Prediction& prediction) override {
    if (const Status added = scores_.add(text, prediction); !added.ok())
      throw StartupError("text " + std::to_string(index + 1) + ": " + added.error().message);
  }

  ModelScores& scores_;
};

/// How the examples of a task are read.
UsualInput usual_input(const ModelScores& scores) {
  return {.format = scores.usual_format(),
          .labelled = scores.usual_format() == data::Format::kLabelled,
          .classes = scores.labels()};
}

void run(const EvaluateArguments& args) {
  const std::unique_ptr<training::Predictor> model = open_model(args.model);
  const std::unique_ptr<ModelScores> scores = cli::or_stop(make_scores(model->task()));
  const UsualInput usual = usual_input(*scores);
  const std::unique_ptr<TextInput> input = open_texts(args.input, usual);
  Scoring(*model, *input, args.model.batch, *scores).run();
  cli::print(args.json ? scores->object() : scores->table());
}

}  // namespace

void add_evaluate_command(cli::Command& app) {
  auto args = std::make_shared<EvaluateArguments>();
  cli::Command* sub = app.add_subcommand(
      "evaluate",
      "Measure a trained model on labelled texts: accuracy, macro F1, loss, precision and recall "
      "of each label and the confusion matrix; entity F1; perplexity; or the error of a "
      "regression.\n"
      "Example: sotto-participant evaluate runs/quickstart configs/quickstart/data/test.tsv");
  add_model_options(*sub, args->model);
  sub->add_option("file", args->input.file,
                  "File with label TAB text in each line, CSV, TSV or JSONL; CoNLL for token "
                  "classification, a text in each line for a language model")
      ->required();
  add_input_options(*sub, args->input, /*labelled=*/true);
  sub->add_flag("--json", args->json, "Print one JSON object");
  sub->callback([args] { run(*args); });
}

}  // namespace sotto::participant

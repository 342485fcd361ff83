#include "participant/cli/tokenize_command.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/model/saved_task.h"
#include "participant/cli/model_answers.h"
#include "participant/cli/text_input.h"
#include "participant/text/tokenizer.h"

namespace sotto::participant {

namespace {

using nlohmann::json;

struct TokenizeArguments {
  std::string model;
  InputOptions input;
  std::vector<std::string> texts;
  std::uint64_t max_length = 0;
  bool json = false;
};

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max() / 2;

class Tokens {
 public:
  Tokens(const TokenizeArguments& args, const std::string& folder)
      : tokenizer_(cli::or_stop(text::load_tokenizer(folder))), json_(args.json) {
    const auto declared = cli::or_stop(saved_max_length(folder));
    const auto positions = cli::or_stop(saved_positions(folder));
    limit_ = std::min(declared.value_or(kUnlimited), positions.value_or(kUnlimited));
    if (args.max_length > 0) limit_ = args.max_length;
    if (limit_ <= tokenizer_.frame())
      throw StartupError(args.model + ": " + std::to_string(limit_) +
                         " tokens leave no room for a text beside the " +
                         std::to_string(tokenizer_.frame()) + " that the tokenizer adds");
  }

  void print(const std::string& text) {
    std::vector<std::int32_t> ids = tokenizer_.encode_framed(text, kUnlimited);
    const std::size_t whole = ids.size();
    if (whole > limit_) ids = tokenizer_.encode_framed(text, limit_);
    std::vector<std::string> pieces;
    for (const std::int32_t id : ids)
      pieces.emplace_back(tokenizer_.token(id));
    if (json_) return cli::print(described(ids, pieces, whole));
    std::string line;
    for (std::size_t i = 0; i < ids.size(); ++i)
      line += (i == 0 ? "" : " ") + std::to_string(ids[i]) + ":" + pieces[i];
    if (whole > ids.size())
      line += "\t" + std::to_string(whole - ids.size()) + " more tokens are cut";
    cli::print(line + "\n");
    ++index_;
  }

 private:
  std::string described(const std::vector<std::int32_t>& ids,
                        const std::vector<std::string>& pieces, std::size_t whole) {
    const json out = {{"index", index_++},
                      {"ids", ids},
                      {"pieces", pieces},
                      {"tokens", whole},
                      {"cut", whole > ids.size()}};
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
  }

  text::Tokenizer tokenizer_;
  std::size_t limit_ = 0;
  std::uint64_t index_ = 0;
  bool json_;
};

void run(const TokenizeArguments& args) {
  if (args.texts.empty() == args.input.file.empty())
    throw StartupError("name either a file with texts or a text with --text");
  Tokens tokens(args, model_folder(args.model));
  for (const std::string& text : args.texts)
    tokens.print(text);
  if (args.input.file.empty()) return;
  const std::unique_ptr<TextInput> input = open_texts(args.input, {});
  while (const std::optional<InputText> text = input->next())
    tokens.print(text->text);
}

}  // namespace

void add_tokenize_command(cli::Command& app) {
  auto args = std::make_shared<TokenizeArguments>();
  cli::Command* sub = app.add_subcommand(
      "tokenize",
      "Print the tokens that a model reads of each text: ids and pieces, with those that the "
      "tokenizer adds, and what is cut.\n"
      "Example: sotto-participant tokenize configs/banking/model --text \"my card is lost\"");
  sub->add_option("model", args->model, "Folder with the tokenizer of the model")->required();
  sub->add_option("file", args->input.file,
                  "File with a text in each line, CSV, TSV or JSONL; - reads lines from the "
                  "standard input");
  sub->add_option("--text", args->texts, "A text; may be repeated")->allow_extra_args(false);
  sub->add_option("--column", args->input.text, "Column of the text in CSV and TSV, key in JSONL");
  add_format_option(*sub, args->input);
  sub->add_option("--max-length", args->max_length,
                  "Most tokens of a text that are read; 0: model_max_length in "
                  "tokenizer_config.json, or the positions of the model")
      ->capture_default_str();
  sub->add_flag("--json", args->json, "Print one JSON object for each text");
  sub->callback([args] { run(*args); });
}

}  // namespace sotto::participant

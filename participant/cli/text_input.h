// The texts that a command about a trained model reads: lines of a file or of the standard input,
// or the records of a table, of JSONL, of labelled lines or of a CoNLL file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/cli/command.h"
#include "participant/data/import.h"

namespace sotto::participant {

struct InputOptions {
  std::string file;    // "-": the standard input, read as lines
  std::string text;    // column or key of the text
  std::string label;   // column or key of the label, where labels are read
  std::string format;  // a name of data::format_named(); empty: see open_texts()
};

void add_format_option(cli::Command& command, InputOptions& options);
/// Adds the options --text and --format; --label too where `labelled`.
void add_input_options(cli::Command& command, InputOptions& options, bool labelled);

struct InputText {
  std::string text;                          // words of a sentence are joined by blanks
  std::string label{};                       // empty where the format has none
  std::vector<std::string> words{}, tags{};  // of a sentence of a CoNLL file
};

/// Use from one thread.
class TextInput {
 public:
  virtual ~TextInput() = default;

  /// Returns the next text; nothing at the end. Throws StartupError, which names the file and the
  /// place and never contains the text, for a malformed record.
  virtual std::optional<InputText> next() = 0;
  /// Returns the progress from 0 to 1; a negative number where it is unknown.
  [[nodiscard]] virtual double part_done() const = 0;
};

/// How a command reads its input where the options do not say it.
struct UsualInput {
  data::Format format = data::Format::kLines;  // of a file that is no table
  bool labelled = false;                       // a table must have a label
  std::vector<std::string> classes{};          // the labels that are admitted; empty: any
};

/// Opens the input. Without --format the name decides: .csv and .jsonl, .tsv with --text, .conll;
/// any other file has the usual format. Lines are read one after another, so that the standard
/// input may go on for ever; an empty line is a text. Throws StartupError.
std::unique_ptr<TextInput> open_texts(const InputOptions& options, const UsualInput& usual);

}  // namespace sotto::participant

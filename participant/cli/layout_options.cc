#include "participant/cli/layout_options.h"

#include "common/base/result.h"
#include "common/cli/command.h"
#include "participant/data/records.h"
#include "participant/deidentify/tables/rows.h"

namespace sotto::participant {

void add_layout_options(cli::Command& command, LayoutOptions& options) {
  command.add_option("--format", options.format,
                     "Format: csv, tsv (with a header line), jsonl, conll, lines (one text on each "
                     "line) or labelled (label TAB text); from the ending of the file, or from the "
                     "task of the job, unless given");
  command.add_option("--delimiter", options.delimiter,
                     "Delimiter of CSV: comma, semicolon, tab, bar or the character itself; "
                     "detected from the header line unless given");
  command.add_option("--text", options.text, "Column or key of the text");
  command.add_option("--label", options.label, "Column or key of the label");
}

char delimiter_of(const std::string& given) {
  if (given.empty()) return 0;
  const char delimiter = tables::delimiter_named(given);
  if (delimiter == 0)
    throw StartupError("--delimiter must be comma, semicolon, tab, bar or one character, not " +
                       given);
  return delimiter;
}

config::DataLayout layout_of(const LayoutOptions& options, config::DataLayout base) {
  if (!options.format.empty()) {
    const auto format = data::format_named(options.format);
    if (!format)
      throw StartupError("--format must be csv, tsv, jsonl, conll, lines or labelled, not " +
                         options.format);
    base.format = *format;
  }
  (void)delimiter_of(options.delimiter);
  const auto take = [](const std::string& given, std::string& into) {
    if (!given.empty()) into = given;
  };
  take(options.delimiter, base.delimiter);
  take(options.text, base.text);
  take(options.label, base.label);
  take(options.person, base.person);
  return base;
}

}  // namespace sotto::participant

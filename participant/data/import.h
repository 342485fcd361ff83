// Conversion of a site's plain files to records: CSV, TSV, JSONL, CoNLL, and the formats that
// training reads directly. Only the requested columns are kept.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "participant/data/record.h"

namespace sotto::data {

enum class Format : std::uint8_t {
  kCsv,       // a header line; RFC 4180
  kTsv,       // a header line; cells without quoting
  kJsonl,     // one object in each line
  kConll,     // a word in each line, followed by its tag; an empty line ends a sentence; IOB2
  kLines,     // one text in each line
  kLabelled,  // label TAB text
};

/// Returns the format named "csv", "tsv", "jsonl", "conll", "lines" or "labelled"; nothing for
/// other names.
std::optional<Format> format_named(std::string_view name);

struct ImportPlan {
  Format format = Format::kLines;
  std::string text{};   // column or key of the text, in CSV, TSV and JSONL
  std::string label{};  // column or key of its label; empty: texts without labels
  /// The classes that labels and tags must belong to; empty: any.
  std::vector<std::string> classes{};
};

/// Returns the kind of records that the plan makes.
Kind kind_of(const ImportPlan& plan);

/// A RecordSource returns the records of one file in its order. It holds the file's text in
/// ordinary memory and wipes it at its end.
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  /// Returns the next record, valid until the next call; nothing at the end. An Error has the form
  /// "FILE:LINE:COLUMN: what", with line and column counted from one and the column in characters,
  /// and never contains the content; after an Error the source cannot be used further. Errors are:
  /// an encoding other than UTF-8, a zero byte, rows of different lengths, a missing column or key,
  /// an empty text or label, an unknown class, an "I-" tag that continues no entity, a record above
  /// kMaxRecordBytes, and a last line without a line end, which indicates a truncated file.
  virtual Result<std::optional<BytesView>> next() = 0;
  /// Returns the progress, from 0 to 1.
  [[nodiscard]] virtual double part_done() const = 0;
};

/// Opens a file of at most 1 GiB. A file without any record is an Error.
Result<std::unique_ptr<RecordSource>> open_source(const std::filesystem::path& file,
                                                  const ImportPlan& plan);

}  // namespace sotto::data

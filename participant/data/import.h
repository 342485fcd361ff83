// A site's plain files as records: CSV, TSV, JSONL, CoNLL, and the files that training reads as
// they are. Only the columns that are asked for are kept.
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

namespace sotto::records {

enum class Format : std::uint8_t {
  kCsv,       // a header line; RFC 4180
  kTsv,       // a header line; a cell is what it is
  kJsonl,     // an object a line
  kConll,     // a word a line, its tag behind it; an empty line ends a sentence; IOB2
  kLines,     // a text a line
  kLabelled,  // label TAB text
};

/// "csv", "tsv", "jsonl", "conll", "lines", "labelled"; nothing for others.
std::optional<Format> format_named(std::string_view name);

struct ImportPlan {
  Format format = Format::kLines;
  std::string text{};   // column or key of the text: of CSV, TSV and JSONL
  std::string label{};  // the same of its label; empty: texts without
  /// The classes that labels must be among, or that tags must be made of; empty: whatever comes.
  std::vector<std::string> classes{};
};

/// What the plan makes.
Kind kind_of(const ImportPlan& plan);

/// Gives the records of one file, in its order. Holds the file's text in ordinary memory, and wipes
/// it at its end.
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  /// The next record, good until the next call; nothing at the end. An Error is
  /// "FILE:LINE:COLUMN: what", counted from one and in characters, never what stands there; after
  /// it there is no going on. Wrong are: an encoding other than UTF-8, a zero byte, rows of
  /// different lengths, a missing column or key, a text or label that is empty, a class that is
  /// none, a tag that goes on with nothing, a record above kMaxRecordBytes, a last line without its
  /// end, as a file has that was cut.
  virtual Result<std::optional<BytesView>> next() = 0;
  /// From 0 to 1.
  [[nodiscard]] virtual double part_done() const = 0;
};

/// At most 1 GiB. An Error also where there is no record at all.
Result<std::unique_ptr<RecordSource>> open_source(const std::filesystem::path& file,
                                                  const ImportPlan& plan);

}  // namespace sotto::records

// Conversion of a site's plain files to records of a store. Only the requested columns are kept.
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
#include "participant/data/records.h"

namespace sotto::data {

struct ImportPlan {
  Format format = Format::kLines;
  std::string text{};   // column or key of the text, in CSV, TSV and JSONL
  std::string label{};  // column or key of its label; empty: texts without labels
  /// The classes that labels and tags must belong to; empty: any.
  std::vector<std::string> classes{};
  char delimiter = 0;  // of CSV; 0: detected from the header line
};

/// Returns the kind of records that the plan makes.
Kind kind_of(const ImportPlan& plan);

/// A RecordSource returns the records of one file in its order. It holds the file's text in
/// ordinary memory and wipes it at its end.
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  /// Returns the next record, valid until the next call; nothing at the end. An Error is one of
  /// RecordReader::next(), or names an unknown class or a record above kMaxRecordBytes in the same
  /// form; after an Error the source cannot be used further.
  virtual Result<std::optional<BytesView>> next() = 0;
  /// Returns the progress, from 0 to 1.
  [[nodiscard]] virtual double part_done() const = 0;
};

/// Opens a file. Returns the errors of RecordReader::open(), and one for a file without any record.
Result<std::unique_ptr<RecordSource>> open_source(const std::filesystem::path& file,
                                                  const ImportPlan& plan);

}  // namespace sotto::data

// RecordReader reads the records of a plain file, whatever its format. Training, `data split`,
// `data import` and `data inspect` use it, so that all of them accept the same files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/config/site.h"
#include "common/storage/text_file.h"
#include "common/tasks/task.h"

namespace sotto::data {

using Format = config::DataFormat;

/// Returns the format of that name as in data.format; nothing for other names and for "auto".
std::optional<Format> format_named(std::string_view name);

/// RecordPlan is how the records of a file are read.
struct RecordPlan {
  Format format = Format::kLines;  // not kAuto
  std::string text{};              // column or key of the text, in CSV, TSV and JSONL
  std::string label{};             // column or key of its label; empty: texts without labels
  std::string person{};            // column or key of the person; empty: not known
  char delimiter = 0;              // of CSV; 0: detected from the header line
  bool tagged = false;             // in JSONL: the text is a list of words, the label one of tags
};

/// Makes the plan for a file of a site from the site's settings and the form of records that a task
/// needs. Where the settings leave the format open, it follows from the file's ending
/// (docs/site.md), and otherwise from the task. An Error names the setting: a column that is
/// missing, or one that the format does not have.
Result<RecordPlan> plan_for(const std::filesystem::path& file, const config::DataLayout& layout,
                            tasks::RecordForm form);

/// Returns the names of the columns of a table, or the keys of the first object of JSONL; none for
/// other formats. Of the plan only format and delimiter count. Returns the errors of a header line.
Result<std::vector<std::string>> columns_of(const storage::TextFile& file, const RecordPlan& plan);

/// FieldView is one value of a record and the offset where it is.
struct FieldView {
  std::string_view text;
  std::size_t at = 0;
};

/// RecordView is one record; its views are valid until the next record is read. Texts, labels and
/// persons that the plan has are not blank.
struct RecordView {
  std::size_t at = 0;  // offset of the record
  FieldView text{}, label{}, person{};
  std::vector<FieldView> words{}, tags{};  // of a tagged sentence; the tags are IOB2
};

/// One thread at a time may use it.
class RecordReader {
 public:
  /// Opens a file: see TextFile::read() for what is refused. An Error also says where a table has
  /// no valid header line or lacks a column of the plan.
  static Result<RecordReader> open(
      const std::filesystem::path& file, const RecordPlan& plan,
      storage::TextFile::Damaged damaged = storage::TextFile::Damaged::kRefused);
  static Result<RecordReader> open(storage::TextFile file, const RecordPlan& plan);

  RecordReader(RecordReader&&) noexcept;
  RecordReader& operator=(RecordReader&&) noexcept;
  ~RecordReader();

  /// Returns the next record; nothing at the end. An Error, "FILE:LINE:COLUMN: what", is about this
  /// record alone and never contains its content; the next call goes on behind it. Errors are:
  /// bytes that are not UTF-8, a zero byte, a carriage return without a line feed, a row of another
  /// length than the header, a misplaced quotation mark, a missing key, an empty text, label or
  /// person, and in CoNLL a tag that is not IOB2 or that continues no entity.
  [[nodiscard]] std::optional<Result<const RecordView*>> next();

  /// Returns "FILE:LINE:COLUMN: what" for an offset of a record.
  [[nodiscard]] Error error_at(std::size_t offset, std::string_view what) const;

  /// Returns what an error about the first record should add, where it may be a header line: the
  /// way to name its columns. Empty for other records and formats.
  [[nodiscard]] std::string header_hint(const RecordView& record) const;

  /// Returns the progress, from 0 to 1.
  [[nodiscard]] double part_done() const;

  /// Returns whether nothing but blanks and line ends is left.
  [[nodiscard]] bool rest_is_blank() const;

  [[nodiscard]] const storage::TextFile& file() const;

  /// Returns the names of the columns; empty for formats without a header line.
  [[nodiscard]] const std::vector<std::string>& columns() const;

  class Parser;

 private:
  explicit RecordReader(std::unique_ptr<Parser> parser);

  std::unique_ptr<Parser> parser_;
};

}  // namespace sotto::data

// Table is a site's table, parsed strictly from CSV or TSV text with a header line. Columns are
// stored as codes into their distinct values, because algorithms on tables count equal values.
// Immutable; any thread may use it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/storage/text_file.h"
#include "participant/deidentify/tables/rows.h"

namespace sotto::tables {

struct Column {
  std::string name;
  std::vector<std::string> values;   // distinct, in the order of their first row
  std::vector<std::uint32_t> codes;  // by row: an index into `values`
};

class Table {
 public:
  /// Parses a table. `name` is the name in errors, each of which is "NAME:LINE:COLUMN: what", with
  /// line and column counted from one and the column in characters; errors never contain the
  /// content of a cell. Returns the errors of storage::TextFile and RowReader, and an Error where
  /// the table has rows of different lengths, columns without a name or with equal names, or no
  /// row. Both kinds of line end are accepted.
  static Result<Table> parse(std::string_view text, std::string name, Format format);
  /// Reads a file. Of CSV the delimiter is detected (detected_csv()).
  static Result<Table> read(const std::filesystem::path& file);

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }

  [[nodiscard]] std::size_t rows() const { return row_starts_.size(); }

  [[nodiscard]] const std::string& name() const { return file_.name(); }

  [[nodiscard]] Format format() const { return format_; }

  /// Returns the index of a column. An Error lists the existing columns.
  [[nodiscard]] Result<std::size_t> find(std::string_view column) const;

  [[nodiscard]] const std::string& cell(std::size_t row, std::size_t column) const {
    return columns_[column].values[columns_[column].codes[row]];
  }

  /// Returns an Error with the position of the cell. `row` counts from 0 below the header.
  [[nodiscard]] Error error_at(std::size_t row, std::size_t column, std::string_view what) const;
  /// Returns the same for the first row that has this code.
  [[nodiscard]] Error error_at_code(std::size_t column, std::uint32_t code,
                                    std::string_view what) const;

 private:
  explicit Table(storage::TextFile file) : file_(std::move(file)) {}

  static Result<Table> parse(storage::TextFile file, Format format);

  storage::TextFile file_;
  Format format_ = Format::kCsv;
  std::vector<Column> columns_;
  std::vector<std::size_t> row_starts_;  // in the file's text
};

}  // namespace sotto::tables

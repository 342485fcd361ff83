// Table is a site's table, parsed strictly from CSV or TSV text with a header line. Columns are
// stored as codes into their distinct values, because algorithms on tables count equal values.
// Immutable; any thread may use it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::tables {

/// CSV as in RFC 4180: commas, cells may be quoted. TSV: tabs, no quoting.
enum class Format : std::uint8_t { kCsv, kTsv };

/// Returns kTsv for a name that ends in ".tsv" or ".tab", otherwise kCsv.
Format format_of(const std::filesystem::path& file);

struct Column {
  std::string name;
  std::vector<std::string> values;   // distinct, in the order of their first row
  std::vector<std::uint32_t> codes;  // by row: an index into `values`
};

class Table {
 public:
  /// Parses a table. `name` is the name in errors, each of which is "NAME:LINE:COLUMN: what", with
  /// line and column counted from one and the column in characters; errors never contain the
  /// content of a cell. Returns an Error where the text is not UTF-8, contains a zero byte, has
  /// rows of different lengths, columns without a name or with equal names, a misplaced or unclosed
  /// quotation mark, no row, or no line end at its end, which indicates a truncated file. Both
  /// kinds of line end are accepted.
  static Result<Table> parse(std::string text, std::string name, Format format);
  /// Reads a file of at most 1 GiB.
  static Result<Table> read(const std::filesystem::path& file);

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }

  [[nodiscard]] std::size_t rows() const { return row_starts_.size(); }

  [[nodiscard]] const std::string& name() const { return name_; }

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
  Table() = default;

  std::string text_, name_;
  Format format_ = Format::kCsv;
  std::vector<Column> columns_;
  std::vector<std::size_t> row_starts_;  // in text_
};

/// Returns the cells as one line with its line end, quoted where the format needs it. TSV cannot
/// represent tabs and line ends; they become spaces.
std::string line_of(const std::vector<std::string_view>& cells, Format format);

}  // namespace sotto::tables

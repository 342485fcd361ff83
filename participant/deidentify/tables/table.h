// A site's table: CSV or TSV text with a header line, strictly read. Columns are kept as codes into
// their distinct values, because what works on tables counts equal values. Immutable; any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::table {

/// CSV as RFC 4180 has it: commas, cells may be quoted. TSV: tabs, a cell is what it is.
enum class Format : std::uint8_t { kCsv, kTsv };

/// kTsv for a name that ends in ".tsv" or ".tab".
Format format_of(const std::filesystem::path& file);

struct Column {
  std::string name;
  std::vector<std::string> values;   // distinct, in the order in which they appear
  std::vector<std::uint32_t> codes;  // a row's index into `values`
};

class Table {
 public:
  /// `name` stands in errors, each of which is "NAME:LINE:COLUMN: what", both counted from one and
  /// the column in characters; never what a cell holds. An Error where the text is not UTF-8, holds
  /// a zero byte, has rows of different lengths, columns without or of equal names, a quotation
  /// mark that opens or closes nowhere, no row, or no line end at its end, as a file has that was
  /// cut. Both kinds of line end are read.
  static Result<Table> parse(std::string text, std::string name, Format format);
  /// At most 1 GiB.
  static Result<Table> read(const std::filesystem::path& file);

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }

  [[nodiscard]] std::size_t rows() const { return row_starts_.size(); }

  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] Format format() const { return format_; }

  /// An Error names the columns that there are.
  [[nodiscard]] Result<std::size_t> find(std::string_view column) const;

  [[nodiscard]] const std::string& cell(std::size_t row, std::size_t column) const {
    return columns_[column].values[columns_[column].codes[row]];
  }

  /// An Error at the cell. `row` counts from 0 below the header.
  [[nodiscard]] Error error_at(std::size_t row, std::size_t column, std::string_view what) const;
  /// The same at the first row that has this code.
  [[nodiscard]] Error error_at_code(std::size_t column, std::uint32_t code,
                                    std::string_view what) const;

 private:
  Table() = default;

  std::string text_, name_;
  Format format_ = Format::kCsv;
  std::vector<Column> columns_;
  std::vector<std::size_t> row_starts_;  // in text_
};

/// The cells as one line with its end, quoted where the format needs it. TSV cannot hold tabs and
/// line ends: they become spaces.
std::string line_of(const std::vector<std::string_view>& cells, Format format);

}  // namespace sotto::table

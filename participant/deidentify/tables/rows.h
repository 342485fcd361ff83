// The rows of CSV and TSV.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/storage/text_file.h"

namespace sotto::tables {

/// Format is the syntax of a table.
struct Format {
  char delimiter = ',';
  bool quoted = true;  // cells may be quoted as in RFC 4180; otherwise a cell is taken as it is

  static const Format kCsv;  // commas, quoted cells
  static const Format kTsv;  // tabs, no quoting

  friend bool operator==(const Format&, const Format&) = default;
};

inline constexpr Format Format::kCsv{',', true};
inline constexpr Format Format::kTsv{'\t', false};

/// Returns kTsv for a name that ends in ".tsv" or ".tab", otherwise kCsv.
Format format_of(const std::filesystem::path& file);

/// Returns the format of a text in CSV: the delimiter is the most frequent of comma, semicolon, tab
/// and vertical bar in its header line outside quotation marks, or the one that a line "sep=;"
/// before the header names, as Excel writes it.
Format detected_csv(std::string_view text);

/// Returns the offset of the header line: behind a line "sep=;", otherwise 0.
std::size_t header_of(std::string_view text);

/// Returns the delimiter that a word names ("comma", "semicolon", "tab", "bar"), or that the word
/// is, if it is one character; 0 for other words.
char delimiter_named(std::string_view word);
/// Returns "comma", "semicolon", "tab", "bar", or the character itself in quotation marks.
std::string name_of_delimiter(char delimiter);

struct Cell {
  std::string text;
  std::size_t at = 0;  // offset of its first byte, which may be a quotation mark
};

/// RowReader cuts a text into rows, from an offset on. The text outlives it and ends with a line
/// feed.
class RowReader {
 public:
  RowReader(std::string_view text, Format format, std::size_t at)
      : text_(text), format_(format), at_(at) {}

  [[nodiscard]] std::size_t at() const { return at_; }

  [[nodiscard]] bool finished() const { return at_ >= text_.size(); }

  /// Returns whether only line ends are left.
  [[nodiscard]] bool only_blank_lines_left() const {
    return text_.find_first_not_of("\r\n", at_) == std::string_view::npos;
  }

  /// Returns the next row, or what is wrong with it. After a fault the reader is behind the first
  /// line of that row, so that one bad row does not take the others with it. Call it only if
  /// finished() is false.
  std::variant<std::vector<Cell>, storage::TextFault> row();

 private:
  using Fault = storage::TextFault;

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  [[nodiscard]] bool at_line_end() const {
    return text_.substr(at_, 1) == "\n" || text_.substr(at_, 2) == "\r\n";
  }

  Fault cells_of_row();
  Fault plain_cell();
  Fault quoted_cell();

  std::string_view text_;
  Format format_;
  std::size_t at_;
  std::vector<Cell> cells_;  // of the current row
};

/// Returns what is wrong with the names of the columns.
storage::TextFault header_fault(const std::vector<Cell>& header);

/// Returns "the row has 1 cell, but the header has 2".
std::string length_fault(std::size_t found, std::size_t needed);

/// Returns the cells as one line with its line end, quoted where the format needs it. A format
/// without quoting cannot represent tabs and line ends; they become spaces.
std::string line_of(const std::vector<std::string_view>& cells, Format format);

}  // namespace sotto::tables

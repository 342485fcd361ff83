#include "participant/deidentify/tables/table.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>
#include <variant>

#include "common/base/utf8.h"
#include "common/storage/atomic_file.h"

namespace sotto::tables {

namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

struct Cell {
  std::string text;
  std::size_t at = 0;
};

struct Fault {
  std::size_t at = 0;
  std::string what;
};

/// Scanner cuts a text into rows. It cannot be used after a Fault.
class Scanner {
 public:
  Scanner(std::string_view text, Format format, std::size_t at)
      : text_(text), delimiter_(format == Format::kCsv ? ',' : '\t'), format_(format), at_(at) {}

  [[nodiscard]] std::size_t at() const { return at_; }

  [[nodiscard]] bool finished() const { return at_ == text_.size(); }

  /// Returns whether only line ends are left.
  [[nodiscard]] bool only_blank_lines_left() const {
    return text_.find_first_not_of("\r\n", at_) == std::string_view::npos;
  }

  std::variant<std::vector<Cell>, Fault> row() {
    cells_.clear();
    while (true) {
      const bool quoted = format_ == Format::kCsv && peek() == '"';
      if (auto fault = quoted ? quoted_cell() : plain_cell()) return *std::move(fault);
      if (peek() == delimiter_) {
        ++at_;
        continue;
      }
      at_ += peek() == '\r' ? 2U : 1U;
      return std::move(cells_);
    }
  }

 private:
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  [[nodiscard]] bool at_line_end() const {
    return text_.substr(at_, 1) == "\n" || text_.substr(at_, 2) == "\r\n";
  }

  std::optional<Fault> plain_cell() {
    const std::size_t start = at_;
    while (peek() != delimiter_ && !at_line_end()) {
      if (at_ == text_.size()) return cut();
      if (format_ == Format::kCsv && text_[at_] == '"')
        return Fault{at_, "a cell contains a quotation mark but does not begin with one"};
      ++at_;
    }
    cells_.push_back({std::string(text_.substr(start, at_ - start)), start});
    return std::nullopt;
  }

  std::optional<Fault> quoted_cell() {
    const std::size_t start = at_++;
    std::string cell;
    while (true) {
      const std::size_t mark = text_.find('"', at_);
      if (mark == std::string_view::npos)
        return Fault{
            start,
            "the quotation mark that opens this cell is never closed; the file may have been cut"};
      cell.append(text_, at_, mark - at_);
      at_ = mark + 1;
      if (peek() != '"') break;
      cell += '"';
      ++at_;
    }
    if (at_ == text_.size()) return cut();
    if (peek() != delimiter_ && !at_line_end())
      return Fault{at_, "there is text after the quotation mark that closes a cell"};
    cells_.push_back({std::move(cell), start});
    return std::nullopt;
  }

  [[nodiscard]] Fault cut() const {
    return {text_.size(),
            "the last line has no line break, so that the file may have been cut; if it is "
            "complete, end its last line"};
  }

  std::string_view text_;
  char delimiter_;
  Format format_;
  std::size_t at_;
  std::vector<Cell> cells_;  // of the current row
};

std::optional<Fault> header_fault(const std::vector<Cell>& header) {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i].text.empty()) return Fault{header[i].at, "a column has no name"};
    for (std::size_t j = 0; j < i; ++j)
      if (header[i].text == header[j].text)
        return Fault{header[i].at, "two columns have this name"};
  }
  return std::nullopt;
}

/// ColumnsBuilder assigns codes; the maps are needed only while a file is read.
class ColumnsBuilder {
 public:
  explicit ColumnsBuilder(std::vector<Cell> header)
      : columns_(header.size()), codes_(columns_.size()) {
    for (std::size_t i = 0; i < header.size(); ++i)
      columns_[i].name = std::move(header[i].text);
  }

  [[nodiscard]] std::size_t width() const { return columns_.size(); }

  void add(std::vector<Cell> row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      Column& column = columns_[i];
      const auto [found, fresh] =
          codes_[i].try_emplace(row[i].text, static_cast<std::uint32_t>(column.values.size()));
      if (fresh) column.values.push_back(std::move(row[i].text));
      column.codes.push_back(found->second);
    }
  }

  [[nodiscard]] std::vector<Column> take() { return std::move(columns_); }

 private:
  std::vector<Column> columns_;
  std::vector<std::unordered_map<std::string, std::uint32_t>> codes_;
};

std::string length_fault(std::size_t found, std::size_t needed) {
  return "the row has " + std::to_string(found) + (found == 1 ? " cell" : " cells") +
         ", but the header has " + std::to_string(needed);
}

}  // namespace

Format format_of(const std::filesystem::path& file) {
  return file.extension() == ".tsv" || file.extension() == ".tab" ? Format::kTsv : Format::kCsv;
}

Result<Table> Table::parse(std::string text, std::string name, Format format) {
  const auto error = [&](const Fault& fault) {
    return Error{name + ":" + line_and_column(text, fault.at) + ": " + fault.what};
  };
  if (const std::size_t good = utf8_prefix(text); good != text.size())
    return error(
        {good,
         "the text is not UTF-8; convert the file, for example with iconv -f LATIN1 -t UTF-8"});
  if (const std::size_t zero = text.find('\0'); zero != std::string::npos)
    return error({zero, "the file contains a zero byte and may not be a text file"});
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  Scanner scanner(text, format, text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
  if (scanner.only_blank_lines_left()) return error({0, "there is no header line"});

  auto header = scanner.row();
  if (const auto* fault = std::get_if<Fault>(&header)) return error(*fault);
  auto names = std::get<std::vector<Cell>>(std::move(header));
  if (const auto fault = header_fault(names)) return error(*fault);
  ColumnsBuilder columns(std::move(names));
  Table table;
  while (!scanner.finished()) {
    // An empty line is a row in a table of one column; at the end of wider tables it is ignored.
    if (columns.width() > 1 && scanner.only_blank_lines_left()) break;
    const std::size_t start = scanner.at();
    auto row = scanner.row();
    if (const auto* fault = std::get_if<Fault>(&row)) return error(*fault);
    auto& cells = std::get<std::vector<Cell>>(row);
    if (cells.size() != columns.width())
      return error({cells.size() > columns.width() ? cells[columns.width()].at : start,
                    length_fault(cells.size(), columns.width())});
    columns.add(std::move(cells));
    table.row_starts_.push_back(start);
  }
  if (table.row_starts_.empty()) return error({text.size(), "there is no row after the header"});
  if (table.row_starts_.size() > UINT32_MAX)
    return error({0, "the table has more than 2^32 - 1 rows"});
  table.columns_ = columns.take();
  table.text_ = std::move(text);
  table.name_ = std::move(name);
  table.format_ = format;
  return table;
}

Result<Table> Table::read(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(const Bytes bytes, storage::read_file(file, kMaxBytes));
  return parse({bytes.begin(), bytes.end()}, file.string(), format_of(file));
}

Result<std::size_t> Table::find(std::string_view column) const {
  const auto found = std::ranges::find(columns_, column, &Column::name);
  if (found != columns_.end()) return static_cast<std::size_t>(found - columns_.begin());
  std::string known;
  for (const Column& c : columns_)
    known += (known.empty() ? "" : ", ") + c.name;
  return Error{name_ + ":1:1: there is no column " + std::string(column) + "; the columns are " +
               known};
}

Error Table::error_at(std::size_t row, std::size_t column, std::string_view what) const {
  auto cells = Scanner(text_, format_, row_starts_[row]).row();
  const std::size_t at = std::get<std::vector<Cell>>(cells)[column].at;
  return {name_ + ":" + line_and_column(text_, at) + ": column " + columns_[column].name + ": " +
          std::string(what)};
}

Error Table::error_at_code(std::size_t column, std::uint32_t code, std::string_view what) const {
  const auto& codes = columns_[column].codes;
  return error_at(static_cast<std::size_t>(std::ranges::find(codes, code) - codes.begin()), column,
                  what);
}

std::string line_of(const std::vector<std::string_view>& cells, Format format) {
  std::string line;
  for (const std::string_view& cell : cells) {
    if (&cell != cells.data()) line += format == Format::kCsv ? ',' : '\t';
    if (format == Format::kTsv) {
      const std::size_t start = line.size();
      line += cell;
      for (std::size_t i = start; i < line.size(); ++i)
        if (line[i] == '\t' || line[i] == '\n' || line[i] == '\r') line[i] = ' ';
    } else if (cell.find_first_of(",\"\r\n") == std::string_view::npos) {
      line += cell;
    } else {
      line += '"';
      for (const char c : cell)
        line.append(c == '"' ? 2 : 1, c);
      line += '"';
    }
  }
  return line + '\n';
}

}  // namespace sotto::tables

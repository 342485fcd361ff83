#include "participant/deidentify/tables/table.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <variant>

namespace sotto::tables {

namespace {

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

}  // namespace

Result<Table> Table::parse(std::string_view text, std::string name, Format format) {
  SOTTO_ASSIGN_OR_RETURN(auto file,
                         storage::TextFile::of({text.begin(), text.end()}, std::move(name)));
  return parse(std::move(file), format);
}

Result<Table> Table::read(const std::filesystem::path& file) {
  SOTTO_ASSIGN_OR_RETURN(auto text, storage::TextFile::read(file));
  const Format named = format_of(file);
  const Format format = named.quoted ? detected_csv(text.text()) : named;
  return parse(std::move(text), format);
}

Result<Table> Table::parse(storage::TextFile file, Format format) {
  const std::string_view text = file.text();
  const auto error = [&file](const storage::TextFault& fault) {
    return file.error_at(fault.at, fault.what);
  };
  RowReader rows(text, format, header_of(text));
  if (rows.only_blank_lines_left()) return error({0, "there is no header line"});
  auto header = rows.row();
  if (const auto* fault = std::get_if<storage::TextFault>(&header)) return error(*fault);
  auto names = std::get<std::vector<Cell>>(std::move(header));
  if (const auto fault = header_fault(names); !fault.what.empty()) return error(fault);
  ColumnsBuilder columns(std::move(names));
  std::vector<std::size_t> row_starts;
  while (!rows.finished()) {
    // An empty line is a row in a table of one column; at the end of wider tables it is ignored.
    if (columns.width() > 1 && rows.only_blank_lines_left()) break;
    const std::size_t start = rows.at();
    auto row = rows.row();
    if (const auto* fault = std::get_if<storage::TextFault>(&row)) return error(*fault);
    auto& cells = std::get<std::vector<Cell>>(row);
    if (cells.size() != columns.width())
      return error({cells.size() > columns.width() ? cells[columns.width()].at : start,
                    length_fault(cells.size(), columns.width())});
    columns.add(std::move(cells));
    row_starts.push_back(start);
  }
  if (row_starts.empty()) return error({text.size(), "there is no row after the header"});
  if (row_starts.size() > UINT32_MAX) return error({0, "the table has more than 2^32 - 1 rows"});
  Table table(std::move(file));
  table.row_starts_ = std::move(row_starts);
  table.columns_ = columns.take();
  table.format_ = format;
  return table;
}

Result<std::size_t> Table::find(std::string_view column) const {
  const auto found = std::ranges::find(columns_, column, &Column::name);
  if (found != columns_.end()) return static_cast<std::size_t>(found - columns_.begin());
  std::string known;
  for (const Column& c : columns_)
    known += (known.empty() ? "" : ", ") + c.name;
  return Error{name() + ":1:1: there is no column " + std::string(column) + "; the columns are " +
               known};
}

Error Table::error_at(std::size_t row, std::size_t column, std::string_view what) const {
  auto cells = RowReader(file_.text(), format_, row_starts_[row]).row();
  const std::size_t at = std::get<std::vector<Cell>>(cells)[column].at;
  return file_.error_at(at, "column " + columns_[column].name + ": " + std::string(what));
}

Error Table::error_at_code(std::size_t column, std::uint32_t code, std::string_view what) const {
  const auto& codes = columns_[column].codes;
  return error_at(static_cast<std::size_t>(std::ranges::find(codes, code) - codes.begin()), column,
                  what);
}

}  // namespace sotto::tables

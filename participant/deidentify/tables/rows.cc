#include "participant/deidentify/tables/rows.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sotto::tables {
namespace {

constexpr std::array<std::pair<std::string_view, char>, 4> kDelimiters{
    {{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"bar", '|'}}};

std::string_view first_line(std::string_view text) {
  std::string_view line = text.substr(0, text.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool names_separator(std::string_view line) {
  return line.size() == 5 && line.starts_with("sep=");
}

}  // namespace

Format format_of(const std::filesystem::path& file) {
  return file.extension() == ".tsv" || file.extension() == ".tab" ? Format::kTsv : Format::kCsv;
}

std::size_t header_of(std::string_view text) {
  return names_separator(first_line(text)) ? text.find('\n') + 1 : 0;
}

Format detected_csv(std::string_view text) {
  const std::string_view line = first_line(text);
  if (names_separator(line)) return {.delimiter = line.back()};
  Format best = Format::kCsv;
  std::ptrdiff_t most = 0;
  for (const auto& [word, delimiter] : kDelimiters) {
    bool quoted = false;
    const std::ptrdiff_t count = std::ranges::count_if(line, [&](char c) {
      if (c == '"') quoted = !quoted;
      return c == delimiter && !quoted;
    });
    if (count > most) most = count, best.delimiter = delimiter;
  }
  return best;
}

char delimiter_named(std::string_view word) {
  const auto* const found =
      std::ranges::find(kDelimiters, word, &std::pair<std::string_view, char>::first);
  if (found != kDelimiters.end()) return found->second;
  return word.size() == 1 && word != "\"" && word != "\n" && word != "\r" ? word.front() : '\0';
}

std::string name_of_delimiter(char delimiter) {
  const auto* const found =
      std::ranges::find(kDelimiters, delimiter, &std::pair<std::string_view, char>::second);
  if (found != kDelimiters.end()) return std::string(found->first);
  return std::string("\"") + delimiter + "\"";
}

std::variant<std::vector<Cell>, storage::TextFault> RowReader::row() {
  const std::size_t start = at_;
  cells_.clear();
  Fault fault = cells_of_row();
  if (fault.what.empty()) {
    const Fault in_line = storage::line_fault(text_.substr(start, at_ - start));
    if (in_line.what.empty()) return std::move(cells_);
    fault = {start + in_line.at, in_line.what};
  }
  at_ = std::min(text_.find('\n', start), text_.size() - 1) + 1;
  return fault;
}

RowReader::Fault RowReader::cells_of_row() {
  while (true) {
    const bool quoted = format_.quoted && peek() == '"';
    if (Fault fault = quoted ? quoted_cell() : plain_cell(); !fault.what.empty()) return fault;
    if (peek() != format_.delimiter) break;
    ++at_;
  }
  at_ += peek() == '\r' ? 2U : 1U;
  return {};
}

RowReader::Fault RowReader::plain_cell() {
  const std::size_t start = at_;
  for (; peek() != format_.delimiter && !at_line_end(); ++at_) {
    if (format_.quoted && peek() == '"')
      return {at_, "a cell contains a quotation mark but does not begin with one"};
    if (peek() == '\r') return {at_, "there is a carriage return without a line feed behind it"};
  }
  cells_.push_back({std::string(text_.substr(start, at_ - start)), start});
  return {};
}

RowReader::Fault RowReader::quoted_cell() {
  const std::size_t start = at_++;
  std::string cell;
  while (true) {
    const std::size_t mark = text_.find('"', at_);
    if (mark == std::string_view::npos)
      return {
          start,
          "the quotation mark that opens this cell is never closed; the file may have been cut"};
    cell.append(text_, at_, mark - at_);
    at_ = mark + 1;
    if (peek() != '"') break;
    cell += '"';
    ++at_;
  }
  if (peek() != format_.delimiter && !at_line_end())
    return {at_, "there is text after the quotation mark that closes a cell"};
  cells_.push_back({std::move(cell), start});
  return {};
}

storage::TextFault header_fault(const std::vector<Cell>& header) {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i].text.empty()) return {header[i].at, "a column has no name"};
    for (std::size_t j = 0; j < i; ++j)
      if (header[i].text == header[j].text) return {header[i].at, "two columns have this name"};
  }
  return {};
}

std::string length_fault(std::size_t found, std::size_t needed) {
  return "the row has " + std::to_string(found) + (found == 1 ? " cell" : " cells") +
         ", but the header has " + std::to_string(needed);
}

std::string line_of(const std::vector<std::string_view>& cells, Format format) {
  std::string line;
  for (const std::string_view& cell : cells) {
    if (&cell != cells.data()) line += format.delimiter;
    if (!format.quoted) {
      const std::size_t start = line.size();
      line += cell;
      for (std::size_t i = start; i < line.size(); ++i)
        if (line[i] == '\t' || line[i] == '\n' || line[i] == '\r') line[i] = ' ';
    } else if (cell.find_first_of("\"\r\n") == std::string_view::npos &&
               cell.find(format.delimiter) == std::string_view::npos) {
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

#include "participant/data/records.h"

#include <algorithm>
#include <array>
#include <list>
#include <utility>

#include "common/config/json_tree.h"
#include "common/crypto/secret.h"
#include "participant/data/record_file.h"
#include "participant/deidentify/tables/rows.h"

namespace sotto::data {
namespace {

constexpr std::string_view kRecordBlanks = " \t";
constexpr std::string_view kNamesColumns =
    "; if the file is a table with a header line, name its columns with data.columns in site.json, "
    "or with --text and --label";

constexpr std::string_view kArrayHint =
    "; JSONL has one object in each line, and a JSON array is converted with jq -c '.[]'";

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kRecordBlanks) == std::string_view::npos;
}

bool has_columns(Format format) {
  return format == Format::kCsv || format == Format::kTsv || format == Format::kJsonl;
}

/// Returns what is wrong with a tag behind another one; empty where it is IOB2.
std::string tag_fault(std::string_view tag, std::string_view before) {
  if (tag != "O" && !tag.starts_with("B-") && !tag.starts_with("I-"))
    return "a tag of IOB2 must be O, B-CLASS or I-CLASS";
  if (tag.starts_with("I-") && (before.size() != tag.size() || !before.ends_with(tag.substr(1))))
    return "the line continues an entity that has not begun; in IOB2 an entity begins with B-";
  return {};
}

}  // namespace

/// Parser is the part of a RecordReader that differs between formats.
class RecordReader::Parser {
 public:
  Parser(storage::TextFile file, RecordPlan plan)
      : plan_(std::move(plan)), file_(std::move(file)) {}

  virtual ~Parser() = default;
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// Reads the next record into record(). Returns false at the end.
  virtual Result<bool> advance() = 0;

  [[nodiscard]] const RecordView& record() const { return record_; }

  [[nodiscard]] const RecordPlan& plan() const { return plan_; }

  [[nodiscard]] const storage::TextFile& file() const { return file_; }

  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }

  [[nodiscard]] std::size_t at() const { return at_; }

  [[nodiscard]] std::size_t first() const { return first_; }

 protected:
  [[nodiscard]] std::string_view text() const { return file_.text(); }

  [[nodiscard]] bool done() const { return at_ >= text().size(); }

  [[nodiscard]] std::size_t offset_of(std::string_view part) const {
    return static_cast<std::size_t>(part.data() - text().data());
  }

  /// Begins a record at the current offset.
  void begin(std::size_t offset) {
    record_.at = offset;
    record_.text = record_.label = record_.person = {};
    record_.words.clear();
    record_.tags.clear();
    first_ = std::min(first_, offset);
  }

  /// Returns the next line without its end. Only the line feed ends a line: U+0085 and U+2028 occur
  /// inside texts.
  std::string_view next_line() {
    const std::size_t end = std::min(text().find('\n', at_), text().size());
    std::string_view line = text().substr(at_, end - at_);
    at_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  [[nodiscard]] Error error(std::string_view place, std::string_view what) const {
    return file_.error_at(offset_of(place), what);
  }

  /// Checks the bytes of a line.
  [[nodiscard]] Status check_line(std::string_view line) const {
    if (const auto fault = storage::line_fault(line); !fault.what.empty())
      return error(line.substr(fault.at), fault.what);
    if (const std::size_t cr = line.find('\r'); cr != std::string_view::npos)
      return error(line.substr(cr), "there is a carriage return without a line feed behind it");
    return {};
  }

  RecordPlan plan_;                   // NOLINT: protected
  storage::TextFile file_;            // NOLINT: protected
  RecordView record_;                 // NOLINT: protected
  std::vector<std::string> columns_;  // NOLINT: protected
  std::size_t at_ = 0;                // NOLINT: protected

 private:
  std::size_t first_ = SIZE_MAX;  // offset of the first record
};

namespace {

using Parser = RecordReader::Parser;
using Opened = Result<std::unique_ptr<Parser>>;

/// LineParser reads one text from each line, with or without its label; empty lines are left out.
class LineParser final : public Parser {
 public:
  using Parser::Parser;

  Result<bool> advance() override {
    std::string_view line;
    while (line.empty()) {
      if (done()) return false;
      line = next_line();
    }
    begin(offset_of(line));
    SOTTO_TRY(check_line(line));
    if (plan_.format == Format::kLabelled) {
      const std::size_t tab = line.find('\t');
      if (tab == std::string_view::npos)
        return error(line, std::string("there is no tab between the label and the text") +
                               (offset_of(line) == first() ? std::string(kNamesColumns) : ""));
      record_.label = {line.substr(0, tab), offset_of(line)};
      if (is_blank(record_.label.text)) return error(line, "the record has no label");
      line.remove_prefix(tab + 1);
    }
    if (is_blank(line)) return error(line, "the record has no text");
    record_.text = {line, offset_of(line)};
    return true;
  }
};

/// ConllParser reads a word and its tag from each line. A fault takes the whole sentence with it.
class ConllParser final : public Parser {
 public:
  using Parser::Parser;

  Result<bool> advance() override {
    Status added;
    bool begun = false;
    while (!done()) {
      const std::string_view line = next_line();
      if (line.starts_with("-DOCSTART-")) continue;
      if (is_blank(line)) {
        if (begun) break;
        continue;
      }
      if (!std::exchange(begun, true)) begin(offset_of(line));
      if (added) added = add_word(line);
    }
    if (!added) return added.error();
    return begun;
  }

 private:
  Status add_word(std::string_view line) {
    SOTTO_TRY(check_line(line));
    const std::string_view parting =
        line.find('\t') == std::string_view::npos ? kRecordBlanks : std::string_view("\t");
    const std::size_t first = line.find_first_of(parting), last = line.find_last_of(parting);
    if (first == std::string_view::npos)
      return error(line, "the line has one column, but needs a word and its tag");
    const std::string_view word = line.substr(0, first), tag = line.substr(last + 1);
    if (is_blank(word)) return error(line, "the line has no word");
    const std::string_view before = record_.tags.empty() ? "" : record_.tags.back().text;
    if (const std::string fault = tag_fault(tag, before); !fault.empty()) return error(tag, fault);
    record_.words.push_back({word, offset_of(word)});
    record_.tags.push_back({tag, offset_of(tag)});
    return {};
  }
};

/// JsonParser reads one object from each line. Its strings are copies, which it wipes.
class JsonParser final : public Parser {
 public:
  using Parser::Parser;

  ~JsonParser() override { forget(); }

  JsonParser(const JsonParser&) = delete;
  JsonParser& operator=(const JsonParser&) = delete;

  Result<bool> advance() override {
    std::string_view line;
    while (is_blank(line)) {
      if (done()) return false;
      line = next_line();
    }
    begin(offset_of(line));
    forget();
    SOTTO_TRY(check_line(line));
    config::JsonDocument document = config::read_json(line);
    if (!document.errors.empty()) return json_error(line, document.errors.front());
    if (document.root.object() == nullptr)
      return error(line, "the record is not a JSON object" + array_hint(document.root));
    if (!plan_.label.empty() && !plan_.tagged)
      SOTTO_TRY(take_scalar(line, document.root, plan_.label, "label", record_.label));
    if (!plan_.person.empty())
      SOTTO_TRY(take_scalar(line, document.root, plan_.person, "person", record_.person));
    if (plan_.tagged)
      SOTTO_TRY(take_words(line, document.root));
    else
      SOTTO_TRY(take_text(line, document.root));
    return true;
  }

 private:
  void forget() {
    for (std::string& text : texts_)
      crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    texts_.clear();
  }

  /// Returns a hint where the line is an array of records.
  static std::string array_hint(const config::Json& json) {
    const auto* const list = std::get_if<config::Json::Array>(&json.value);
    const bool of_records = list != nullptr && !list->empty() && list->front().object() != nullptr;
    return of_records ? std::string(kArrayHint) : "";
  }

  /// The message does not use the library's text, which contains what was read last.
  [[nodiscard]] Error json_error(std::string_view line, const config::JsonError& found) const {
    if (line == "[")
      return error(line, "the record is not a JSON object" + std::string(kArrayHint));
    constexpr std::string_view kColumn = "column ";
    const std::size_t place = found.where.find(kColumn);
    if (found.where.starts_with('$') || place == std::string::npos)
      return error(line, found.what);  // a text of Sotto
    const std::size_t column = std::stoull(found.where.substr(place + kColumn.size()));
    return error(line.substr(std::min(column - 1, line.size())),
                 "there is no JSON from here on; the line may have been cut");
  }

  [[nodiscard]] Result<const config::Json*> member(std::string_view line, const config::Json& root,
                                                   const std::string& key) const {
    if (const config::Json* const found = root.find(key)) return found;
    return error(line, "the object has no key " + key);
  }

  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  Status take_text(std::string_view line, const config::Json& root) {
    SOTTO_ASSIGN_OR_RETURN(const config::Json* const found, member(line, root, plan_.text));
    const auto* text = std::get_if<std::string>(&found->value);
    if (text == nullptr) return error(line, plan_.text + " is not a string");
    if (is_blank(*text)) return error(line, plan_.text + ": the record has no text");
    record_.text = {keep(*text), offset_of(line)};
    return {};
  }

  /// Takes a string or a number or a truth value, as it is written.
  Status take_scalar(std::string_view line, const config::Json& root, const std::string& key,
                     const char* what, FieldView& out) {
    SOTTO_ASSIGN_OR_RETURN(const config::Json* const found, member(line, root, key));
    const bool is_list = std::holds_alternative<config::Json::Array>(found->value) ||
                         found->object() != nullptr ||
                         std::holds_alternative<std::nullptr_t>(found->value);
    if (is_list) return error(line, key + " is not a string");
    const auto* text = std::get_if<std::string>(&found->value);
    out = {keep(text != nullptr ? *text : config::canonical_text(*found)), offset_of(line)};
    if (is_blank(out.text)) return error(line, key + ": the record has no " + what);
    return {};
  }

  Status take_list(std::string_view line, const config::Json& root, const std::string& key,
                   std::vector<FieldView>& out) {
    SOTTO_ASSIGN_OR_RETURN(const config::Json* const found, member(line, root, key));
    const auto* list = std::get_if<config::Json::Array>(&found->value);
    if (list == nullptr) return error(line, key + " is not a list of strings");
    for (const config::Json& item : *list) {
      const auto* text = std::get_if<std::string>(&item.value);
      if (text == nullptr || is_blank(*text)) return error(line, key + " is not a list of strings");
      out.push_back({keep(*text), offset_of(line)});
    }
    return {};
  }

  Status take_words(std::string_view line, const config::Json& root) {
    SOTTO_TRY(take_list(line, root, plan_.text, record_.words));
    SOTTO_TRY(take_list(line, root, plan_.label, record_.tags));
    if (record_.words.empty()) return error(line, plan_.text + ": the record has no word");
    if (record_.words.size() != record_.tags.size())
      return error(line, plan_.text + " and " + plan_.label + " are of different lengths");
    std::string_view before;
    for (const FieldView& tag : record_.tags) {
      if (const std::string fault = tag_fault(tag.text, before); !fault.empty())
        return error(line, plan_.label + ": " + fault);
      before = tag.text;
    }
    return {};
  }

  std::list<std::string> texts_;  // of the record
};

/// Header is the header line of a table, and the reader of the rows behind it.
struct Header {
  std::vector<std::string> names;
  tables::RowReader rows;
};

Result<Header> header_of(const storage::TextFile& file, Format format, char delimiter) {
  tables::Format syntax =
      format == Format::kCsv ? tables::detected_csv(file.text()) : tables::Format::kTsv;
  if (delimiter != 0) syntax.delimiter = delimiter;
  tables::RowReader rows(file.text(), syntax, tables::header_of(file.text()));
  if (rows.only_blank_lines_left()) return file.error_at(0, "there is no header line");
  auto header = rows.row();
  if (const auto* fault = std::get_if<storage::TextFault>(&header))
    return file.error_at(fault->at, fault->what);
  const auto& cells = std::get<std::vector<tables::Cell>>(header);
  if (const auto fault = tables::header_fault(cells); !fault.what.empty())
    return file.error_at(fault.at, fault.what);
  std::vector<std::string> names;
  for (const tables::Cell& cell : cells)
    names.push_back(cell.text);
  return Header{std::move(names), std::move(rows)};
}

/// TableParser reads rows. Its cells are copies, which it wipes.
class TableParser final : public Parser {
 public:
  static Opened make(storage::TextFile file, RecordPlan plan) {
    auto parser = std::make_unique<TableParser>(std::move(file), std::move(plan));
    SOTTO_TRY(parser->read_header());
    return Opened(std::move(parser));
  }

  using Parser::Parser;

  ~TableParser() override { forget(); }

  TableParser(const TableParser&) = delete;
  TableParser& operator=(const TableParser&) = delete;

  Result<bool> advance() override {
    forget();
    // An empty line is a row in a table of one column; at the end of wider tables it is ignored.
    if (rows_->finished() || (columns_.size() > 1 && rows_->only_blank_lines_left())) return false;
    begin(rows_->at());
    auto row = rows_->row();
    at_ = rows_->at();
    if (const auto* fault = std::get_if<storage::TextFault>(&row))
      return file_.error_at(fault->at, fault->what);
    cells_ = std::get<std::vector<tables::Cell>>(std::move(row));
    if (cells_.size() != columns_.size())
      return file_.error_at(
          cells_.size() > columns_.size() ? cells_[columns_.size()].at : record_.at,
          tables::length_fault(cells_.size(), columns_.size()));
    SOTTO_TRY(take(label_, "label", record_.label));
    SOTTO_TRY(take(person_, "person", record_.person));
    SOTTO_TRY(take(text_, "text", record_.text));
    return true;
  }

 private:
  void forget() {
    for (tables::Cell& cell : cells_)
      crypto::wipe({reinterpret_cast<std::uint8_t*>(cell.text.data()), cell.text.size()});
    cells_.clear();
  }

  Status read_header() {
    SOTTO_ASSIGN_OR_RETURN(Header header, header_of(file_, plan_.format, plan_.delimiter));
    columns_ = std::move(header.names);
    rows_ = header.rows;
    at_ = rows_->at();
    SOTTO_ASSIGN_OR_RETURN(text_, find(plan_.text));
    SOTTO_ASSIGN_OR_RETURN(label_, find(plan_.label));
    SOTTO_ASSIGN_OR_RETURN(person_, find(plan_.person));
    return {};
  }

  /// Returns the index of a column; nothing for an empty name.
  [[nodiscard]] Result<std::optional<std::size_t>> find(const std::string& name) const {
    if (name.empty()) return std::optional<std::size_t>();
    const auto found = std::ranges::find(columns_, name);
    if (found != columns_.end())
      return std::optional(static_cast<std::size_t>(found - columns_.begin()));
    std::string known;
    for (const std::string& column : columns_)
      known += (known.empty() ? "" : ", ") + column;
    return file_.error_at(0, "there is no column " + name + "; the columns are " + known);
  }

  Status take(const std::optional<std::size_t>& column, const char* what, FieldView& out) const {
    if (!column) return {};
    const tables::Cell& cell = cells_[*column];
    out = {cell.text, cell.at};
    if (!is_blank(cell.text)) return {};
    return file_.error_at(cell.at, "column " + columns_[*column] + ": the record has no " + what);
  }

  std::optional<tables::RowReader> rows_;
  std::optional<std::size_t> text_, label_, person_;
  std::vector<tables::Cell> cells_;  // of the record
};

Opened parser_of(storage::TextFile file, const RecordPlan& plan) {
  switch (plan.format) {
    case Format::kCsv:
    case Format::kTsv:
      return TableParser::make(std::move(file), plan);
    case Format::kJsonl:
      return Opened(std::make_unique<JsonParser>(std::move(file), plan));
    case Format::kConll:
      return Opened(std::make_unique<ConllParser>(std::move(file), plan));
    case Format::kLines:
    case Format::kLabelled:
      return Opened(std::make_unique<LineParser>(std::move(file), plan));
    case Format::kAuto:
      break;
  }
  SOTTO_CHECK(false, "the plan has a format");
}

/// Returns the format of a file whose records a task reads without named columns.
Format format_of(tasks::RecordForm form) {
  switch (form) {
    case tasks::RecordForm::kTexts:
      return Format::kLines;
    case tasks::RecordForm::kLabelledTexts:
      return Format::kLabelled;
    case tasks::RecordForm::kTaggedWords:
      break;
  }
  return Format::kConll;
}

/// Returns the format by the file's ending and by whether its columns are named.
Format format_of(const std::filesystem::path& file, bool named, tasks::RecordForm form) {
  const std::string ending = file.extension().string();
  if (ending == ".csv") return Format::kCsv;
  if (ending == ".jsonl" || ending == ".ndjson") return Format::kJsonl;
  if (ending == ".conll") return Format::kConll;
  if (!named) return format_of(form);
  if (ending == ".json") return Format::kJsonl;
  return ending == ".tsv" || ending == ".tab" ? Format::kTsv : Format::kCsv;
}

/// Checks that the plan reads records of the form.
Status check_plan(const std::string& name, const RecordPlan& plan, tasks::RecordForm form) {
  const std::string format(config::word_of(plan.format));
  const std::string key = plan.format == Format::kJsonl ? "key" : "column";
  const auto missing = [&](const char* what) {
    return Error{name + ": the format is " + format + ", so data.columns." + what +
                 " in site.json, or --" + what + ", must name the " + key + " of the " + what};
  };
  if (!has_columns(plan.format)) {
    if (!plan.text.empty() || !plan.label.empty() || !plan.person.empty())
      return Error{name + ": data.columns names columns, which the format " + format +
                   " does not have; only csv, tsv and jsonl have them"};
    if (plan.format != format_of(form))
      return Error{name + ": the format is " + format + "; the task needs " +
                   std::string(config::word_of(format_of(form))) +
                   (form == tasks::RecordForm::kTaggedWords ? " or jsonl" : ", csv, tsv or jsonl")};
    return {};
  }
  if (form == tasks::RecordForm::kTaggedWords && plan.format != Format::kJsonl)
    return Error{name + ": the format is " + format + "; tagged words need conll or jsonl"};
  if (plan.text.empty()) return missing("text");
  if (plan.label.empty() && form != tasks::RecordForm::kTexts) return missing("label");
  return {};
}

}  // namespace

std::optional<Format> format_named(std::string_view name) {
  const auto& words = config::Words<Format>::all;
  const auto* const found = std::ranges::find(words, name);
  if (found == words.end() || found == words.begin()) return std::nullopt;
  return static_cast<Format>(found - words.begin());
}

Result<RecordPlan> plan_for(const std::filesystem::path& file, const config::DataLayout& layout,
                            tasks::RecordForm form) {
  RecordPlan plan{.format = layout.format,
                  .text = layout.text,
                  .label = form == tasks::RecordForm::kTexts ? "" : layout.label,
                  .person = layout.person,
                  .delimiter = tables::delimiter_named(layout.delimiter),
                  .tagged = form == tasks::RecordForm::kTaggedWords};
  if (!layout.delimiter.empty() && plan.delimiter == 0)
    return Error{file.string() +
                 ": data.delimiter must be comma, semicolon, tab, bar or one character"};
  if (plan.format == Format::kAuto) plan.format = format_of(file, !layout.text.empty(), form);
  SOTTO_TRY(check_plan(file.string(), plan, form));
  return plan;
}

Result<std::vector<std::string>> columns_of(const storage::TextFile& file, const RecordPlan& plan) {
  std::vector<std::string> names;
  if (plan.format == Format::kCsv || plan.format == Format::kTsv) {
    SOTTO_ASSIGN_OR_RETURN(Header header, header_of(file, plan.format, plan.delimiter));
    names = std::move(header.names);
  } else if (plan.format == Format::kJsonl) {
    const std::string_view text = file.text();
    const std::size_t start = std::min(text.find_first_not_of(" \t\r\n"), text.size());
    const config::JsonDocument first =
        config::read_json(text.substr(start, text.find('\n', start) - start));
    if (first.root.object() != nullptr)
      for (const config::JsonMember& member : *first.root.object())
        names.push_back(member.key);
  }
  return names;
}

RecordReader::RecordReader(std::unique_ptr<Parser> parser) : parser_(std::move(parser)) {}

RecordReader::RecordReader(RecordReader&&) noexcept = default;
RecordReader& RecordReader::operator=(RecordReader&&) noexcept = default;
RecordReader::~RecordReader() = default;

Result<RecordReader> RecordReader::open(const std::filesystem::path& file, const RecordPlan& plan,
                                        storage::TextFile::Damaged damaged) {
  if (is_record_store(file))
    return Error{file.string() +
                 " is a record store; its records are read for training, and this command needs "
                 "the plain file"};
  SOTTO_ASSIGN_OR_RETURN(auto text, storage::TextFile::read(file, damaged));
  return open(std::move(text), plan);
}

Result<RecordReader> RecordReader::open(storage::TextFile file, const RecordPlan& plan) {
  SOTTO_ASSIGN_OR_RETURN(auto parser, parser_of(std::move(file), plan));
  return RecordReader(std::move(parser));
}

std::optional<Result<const RecordView*>> RecordReader::next() {
  const Result<bool> advanced = parser_->advance();
  if (!advanced) return Result<const RecordView*>(advanced.error());
  if (!*advanced) return std::nullopt;
  return Result<const RecordView*>(&parser_->record());
}

Error RecordReader::error_at(std::size_t offset, std::string_view what) const {
  return parser_->file().error_at(offset, what);
}

std::string RecordReader::header_hint(const RecordView& record) const {
  const bool may_be = parser_->plan().format == Format::kLabelled && record.at == parser_->first();
  return may_be ? std::string(kNamesColumns) : "";
}

double RecordReader::part_done() const {
  const std::size_t size = parser_->file().text().size();
  return size == 0 ? 1
                   : static_cast<double>(std::min(parser_->at(), size)) / static_cast<double>(size);
}

bool RecordReader::rest_is_blank() const {
  return parser_->file().text().find_first_not_of(" \t\r\n", parser_->at()) ==
         std::string_view::npos;
}

const storage::TextFile& RecordReader::file() const {
  return parser_->file();
}

const std::vector<std::string>& RecordReader::columns() const {
  return parser_->columns();
}

}  // namespace sotto::data

#include "participant/data/import.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/utf8.h"
#include "common/config/json_tree.h"
#include "common/crypto/secret.h"
#include "common/storage/atomic_file.h"
#include "participant/deidentify/tables/table.h"

namespace sotto::data {
namespace {

constexpr std::uint64_t kMaxImportBytes = std::uint64_t{1} << 30;
constexpr std::string_view kImportBlanks = " \t";
constexpr std::array<std::pair<std::string_view, Format>, 6> kNames{
    {{"csv", Format::kCsv},
     {"tsv", Format::kTsv},
     {"jsonl", Format::kJsonl},
     {"conll", Format::kConll},
     {"lines", Format::kLines},
     {"labelled", Format::kLabelled}}};

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kImportBlanks) == std::string_view::npos;
}

/// Draft is the record that is being assembled; it is wiped at the end.
class Draft {
 public:
  Draft() = default;

  ~Draft() { crypto::wipe(bytes_); }

  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  /// Memory is reserved in advance, so that no reallocation leaves a copy behind.
  void clear() {
    bytes_.reserve(kMaxRecordBytes);
    bytes_.clear();
  }

  [[nodiscard]] bool empty() const { return bytes_.empty(); }

  /// Returns false where the record would become too long.
  [[nodiscard]] bool add(std::string_view field) {
    if (field.size() + 4 > kMaxRecordBytes - bytes_.size()) return false;
    append_field(bytes_, field);
    return true;
  }

  [[nodiscard]] BytesView view() const { return bytes_; }

 private:
  Bytes bytes_;
};

const char* const kTooLong = "the record is longer than 1 MiB";

/// Returns what is wrong with a label; nothing where it is valid.
std::optional<std::string> label_fault(std::string_view label, const ImportPlan& plan) {
  if (is_blank(label)) return "the record has no label";
  if (plan.classes.empty() || std::ranges::find(plan.classes, label) != plan.classes.end())
    return std::nullopt;
  std::string known;
  for (const std::string& name : plan.classes)
    known += (known.empty() ? "" : ", ") + name;
  return "the label is not one of " + known;
}

class TableSource final : public RecordSource {
 public:
  static Result<std::unique_ptr<RecordSource>> make(tables::Table table, const ImportPlan& plan) {
    SOTTO_ASSIGN_OR_RETURN(const std::size_t text, table.find(plan.text));
    std::optional<std::size_t> label;
    if (!plan.label.empty()) {
      SOTTO_ASSIGN_OR_RETURN(const std::size_t found, table.find(plan.label));
      label = found;
    }
    return std::unique_ptr<RecordSource>(new TableSource(std::move(table), plan, text, label));
  }

  Result<std::optional<BytesView>> next() override {
    if (row_ == table_.rows()) return std::optional<BytesView>{};
    const std::size_t row = row_++;
    draft_.clear();
    if (label_) {
      const std::string& label = table_.cell(row, *label_);
      if (const auto fault = label_fault(label, plan_))
        return table_.error_at(row, *label_, *fault);
      if (!draft_.add(label)) return table_.error_at(row, *label_, kTooLong);
    }
    const std::string& text = table_.cell(row, text_);
    if (is_blank(text)) return table_.error_at(row, text_, "the record has no text");
    if (!draft_.add(text)) return table_.error_at(row, text_, kTooLong);
    return std::optional(draft_.view());
  }

  [[nodiscard]] double part_done() const override {
    return static_cast<double>(row_) / static_cast<double>(table_.rows());
  }

 private:
  TableSource(tables::Table table, const ImportPlan& plan, std::size_t text,
              std::optional<std::size_t> label)
      : table_(std::move(table)), plan_(plan), text_(text), label_(label) {}

  tables::Table table_;
  ImportPlan plan_;
  std::size_t text_;
  std::optional<std::size_t> label_;
  std::size_t row_ = 0;
  Draft draft_;
};

/// LineSource is the base of sources whose records are lines or blocks of lines.
class LineSource : public RecordSource {
 public:
  LineSource(Bytes bytes, std::string name, ImportPlan plan)
      : plan_(std::move(plan)), bytes_(std::move(bytes)), name_(std::move(name)) {}

  ~LineSource() override { crypto::wipe(bytes_); }

  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;

  /// Checks the whole file, before the first record is read.
  Status check_text() {
    if (const std::size_t good = utf8_prefix(text()); good != bytes_.size())
      return error_at(
          good,
          "the text is not UTF-8; convert the file, for example with iconv -f LATIN1 -t UTF-8");
    if (const std::size_t zero = text().find('\0'); zero != std::string_view::npos)
      return error_at(zero, "the file contains a zero byte and may not be a text file");
    if (!bytes_.empty() && bytes_.back() != '\n')
      return error_at(bytes_.size(),
                      "the last line has no line break, so that the file may have been cut; if it "
                      "is complete, end its last line");
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text().starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
    if (text().find_first_not_of(" \t\r\n", at_) == std::string_view::npos)
      return error_at(at_, "the file contains no record");
    return {};
  }

  [[nodiscard]] double part_done() const override {
    return static_cast<double>(at_) / static_cast<double>(bytes_.size());
  }

 protected:
  [[nodiscard]] bool done() const { return at_ == bytes_.size(); }

  /// Returns the next line. Only the line feed ends a line: U+0085 and U+2028 occur inside texts.
  std::string_view next_line() {
    const std::size_t end = text().find('\n', at_);
    std::string_view line = text().substr(at_, end - at_);
    at_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  /// `place` points into the file.
  [[nodiscard]] Error error_at(const char* place, std::string_view what) const {
    return error_at(static_cast<std::size_t>(place - text().data()), what);
  }

  ImportPlan plan_;  // NOLINT: protected
  Draft draft_;      // NOLINT: protected

 private:
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

  [[nodiscard]] Error error_at(std::size_t offset, std::string_view what) const {
    return {name_ + ":" + line_and_column(text(), offset) + ": " + std::string(what)};
  }

  Bytes bytes_;
  std::string name_;
  std::size_t at_ = 0;
};

/// PlainLines reads one text from each line, with or without its label; empty lines are left out.
class PlainLines final : public LineSource {
 public:
  using LineSource::LineSource;

  Result<std::optional<BytesView>> next() override {
    std::string_view line;
    while (line.empty()) {
      if (done()) return std::optional<BytesView>{};
      line = next_line();
    }
    const char* const start = line.data();
    draft_.clear();
    if (plan_.format == Format::kLabelled) {
      const std::size_t tab = line.find('\t');
      if (tab == std::string_view::npos)
        return error_at(start, "there is no tab between the label and the text");
      const std::string_view label = line.substr(0, tab);
      if (const auto fault = label_fault(label, plan_)) return error_at(start, *fault);
      if (!draft_.add(label)) return error_at(start, kTooLong);
      line.remove_prefix(tab + 1);
    }
    if (is_blank(line)) return error_at(line.data(), "the record has no text");
    if (!draft_.add(line)) return error_at(start, kTooLong);
    return std::optional(draft_.view());
  }
};

class JsonSource final : public LineSource {
 public:
  using LineSource::LineSource;

  Result<std::optional<BytesView>> next() override {
    std::string_view line;
    while (is_blank(line)) {
      if (done()) return std::optional<BytesView>{};
      line = next_line();
    }
    const config::JsonDocument document = config::read_json(line);
    if (!document.errors.empty()) return json_error(line, document.errors.front());
    draft_.clear();
    if (!plan_.label.empty()) {
      SOTTO_ASSIGN_OR_RETURN(std::string label, member(line, document.root, plan_.label));
      if (const auto fault = label_fault(label, plan_))
        return error_at(line.data(), plan_.label + ": " + *fault);
      if (!draft_.add(label)) return error_at(line.data(), kTooLong);
    }
    SOTTO_ASSIGN_OR_RETURN(std::string text, member(line, document.root, plan_.text));
    if (is_blank(text)) return error_at(line.data(), plan_.text + ": the record has no text");
    if (!draft_.add(text)) return error_at(line.data(), kTooLong);
    return std::optional(draft_.view());
  }

 private:
  /// The message does not use the library's text, which contains what was read last.
  [[nodiscard]] Error json_error(std::string_view line, const config::JsonError& error) const {
    constexpr std::string_view kColumn = "column ";
    const std::size_t found = error.where.find(kColumn);
    if (error.where.starts_with('$') || found == std::string::npos)
      return error_at(line.data(), error.what);  // a text of Sotto
    const std::size_t column = std::stoull(error.where.substr(found + kColumn.size()));
    return error_at(line.data() + std::min(column - 1, line.size()),
                    "there is no JSON from here on; the line may have been cut");
  }

  [[nodiscard]] Result<std::string> member(std::string_view line, const config::Json& root,
                                           const std::string& key) const {
    if (root.object() == nullptr) return error_at(line.data(), "the record is not a JSON object");
    const config::Json* const found = root.find(key);
    if (found == nullptr) return error_at(line.data(), "the object has no key " + key);
    if (const auto* text = std::get_if<std::string>(&found->value)) return *text;
    return error_at(line.data(), key + " is not a string");
  }
};

/// ConllSource reads CoNLL's files as participant/data/examples.h describes.
class ConllSource final : public LineSource {
 public:
  using LineSource::LineSource;

  Result<std::optional<BytesView>> next() override {
    draft_.clear();
    before_.clear();
    while (!done()) {
      const std::string_view line = next_line();
      if (line.starts_with("-DOCSTART-")) continue;
      if (!is_blank(line)) {
        SOTTO_TRY(add_word(line));
      } else if (!draft_.empty()) {
        break;
      }
    }
    if (draft_.empty()) return std::optional<BytesView>{};
    return std::optional(draft_.view());
  }

 private:
  Status add_word(std::string_view line) {
    const std::string_view parting = line.find('\t') == std::string_view::npos ? kImportBlanks : "\t";
    const std::size_t first = line.find_first_of(parting), last = line.find_last_of(parting);
    if (first == std::string_view::npos)
      return error_at(line.data(), "the line has one column, but needs a word and its tag");
    if (is_blank(line.substr(0, first))) return error_at(line.data(), "the line has no word");
    const std::string_view tag = line.substr(last + 1);
    if (tag != "O" && !tag.starts_with("B-") && !tag.starts_with("I-"))
      return error_at(line.data() + last + 1, "a tag of IOB2 must be O, B-CLASS or I-CLASS");
    if (tag != "O")
      if (const auto fault = label_fault(tag.substr(2), plan_))
        return error_at(line.data() + last + 1, *fault);
    const bool goes_on = tag.starts_with("I-");
    if (goes_on && (before_.size() != tag.size() || !before_.ends_with(tag.substr(1))))
      return error_at(
          line.data() + last + 1,
          "the line continues an entity that has not begun; in IOB2 an entity begins with B-");
    before_ = tag;
    if (!draft_.add(line.substr(0, first)) || !draft_.add(tag))
      return error_at(line.data(), kTooLong);
    return {};
  }

  std::string before_;  // the tag of the previous word
};

template <class Source>
Result<std::unique_ptr<RecordSource>> open_lines(Bytes bytes, const std::string& name,
                                                 const ImportPlan& plan) {
  auto source = std::make_unique<Source>(std::move(bytes), name, plan);
  SOTTO_TRY(source->check_text());
  return std::unique_ptr<RecordSource>(std::move(source));
}

}  // namespace

std::optional<Format> format_named(std::string_view name) {
  const auto* const found =
      std::ranges::find(kNames, name, &std::pair<std::string_view, Format>::first);
  if (found == kNames.end()) return std::nullopt;
  return found->second;
}

Kind kind_of(const ImportPlan& plan) {
  if (plan.format == Format::kConll) return Kind::kTaggedWords;
  const bool labelled =
      plan.format == Format::kLabelled || (plan.format != Format::kLines && !plan.label.empty());
  return labelled ? Kind::kLabelledTexts : Kind::kTexts;
}

Result<std::unique_ptr<RecordSource>> open_source(const std::filesystem::path& file,
                                                  const ImportPlan& plan) {
  SOTTO_ASSIGN_OR_RETURN(Bytes bytes, storage::read_file(file, kMaxImportBytes));
  switch (plan.format) {
    case Format::kCsv:
    case Format::kTsv: {
      Result<tables::Table> table = tables::Table::parse(
          {bytes.begin(), bytes.end()}, file.string(),
          plan.format == Format::kCsv ? tables::Format::kCsv : tables::Format::kTsv);
      crypto::wipe(bytes);
      if (!table) return table.error();
      return TableSource::make(std::move(table).value(), plan);
    }
    case Format::kJsonl:
      return open_lines<JsonSource>(std::move(bytes), file.string(), plan);
    case Format::kConll:
      return open_lines<ConllSource>(std::move(bytes), file.string(), plan);
    case Format::kLines:
    case Format::kLabelled:
      return open_lines<PlainLines>(std::move(bytes), file.string(), plan);
  }
  return Error{file.string() + ": a format without a reader"};
}

}  // namespace sotto::data

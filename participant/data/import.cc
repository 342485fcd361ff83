#include "participant/data/import.h"

#include <algorithm>
#include <utility>

#include "common/crypto/secret.h"

namespace sotto::data {
namespace {

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

class PlannedSource final : public RecordSource {
 public:
  PlannedSource(RecordReader reader, ImportPlan plan)
      : reader_(std::move(reader)), plan_(std::move(plan)) {}

  Result<std::optional<BytesView>> next() override {
    const auto found = reader_.next();
    if (!found) return std::optional<BytesView>{};
    if (!found->ok()) return found->error();
    const RecordView& record = ***found;
    draft_.clear();
    bool fits = true;
    for (std::size_t i = 0; i < record.words.size(); ++i) {
      const FieldView& tag = record.tags[i];
      if (tag.text != "O") SOTTO_TRY(check_class({tag.text.substr(2), tag.at}, ""));
      fits = fits && draft_.add(record.words[i].text) && draft_.add(tag.text);
    }
    if (kind_of(plan_) == Kind::kLabelledTexts) {
      SOTTO_TRY(check_class(record.label, reader_.header_hint(record)));
      fits = fits && draft_.add(record.label.text);
    }
    if (record.words.empty()) fits = fits && draft_.add(record.text.text);
    if (!fits) return reader_.error_at(record.at, "the record is longer than 1 MiB");
    return std::optional(draft_.view());
  }

  [[nodiscard]] double part_done() const override { return reader_.part_done(); }

 private:
  [[nodiscard]] Status check_class(const FieldView& label, const std::string& hint) const {
    const auto& classes = plan_.classes;
    if (classes.empty() || std::ranges::find(classes, label.text) != classes.end()) return {};
    std::string known;
    for (const std::string& name : classes)
      known += (known.empty() ? "" : ", ") + name;
    const std::string column = plan_.label.empty() ? "" : "column " + plan_.label + ": ";
    return reader_.error_at(label.at, column + "the label is not one of " + known + hint);
  }

  RecordReader reader_;
  ImportPlan plan_;
  Draft draft_;
};

}  // namespace

Kind kind_of(const ImportPlan& plan) {
  if (plan.format == Format::kConll) return Kind::kTaggedWords;
  const bool labelled =
      plan.format == Format::kLabelled || (plan.format != Format::kLines && !plan.label.empty());
  return labelled ? Kind::kLabelledTexts : Kind::kTexts;
}

Result<std::unique_ptr<RecordSource>> open_source(const std::filesystem::path& file,
                                                  const ImportPlan& plan) {
  SOTTO_ASSIGN_OR_RETURN(auto reader, RecordReader::open(file, {.format = plan.format,
                                                                .text = plan.text,
                                                                .label = plan.label,
                                                                .delimiter = plan.delimiter}));
  if (reader.rest_is_blank())
    return reader.error_at(reader.columns().empty() ? 0 : reader.file().text().size(),
                           "the file contains no record");
  return std::unique_ptr<RecordSource>(std::make_unique<PlannedSource>(std::move(reader), plan));
}

}  // namespace sotto::data

#include "participant/data/example_source.h"

#include <optional>
#include <string>
#include <utility>

#include "common/base/check.h"
#include "participant/data/label_reader.h"

namespace sotto::data {
namespace {

using data::Capability;
using data::Kind;
using data::OpenedRecord;
using data::SecureRecordStore;

class PlainReader final : public ExampleReader {
 public:
  explicit PlainReader(const std::vector<Example>& examples) : examples_(examples) {}

  Result<ExampleView> read(std::size_t index) override {
    const Example& e = examples_[index];
    words_.assign(e.words.begin(), e.words.end());
    return ExampleView{e.text, e.label, words_, e.tags, {}, e.person};
  }

  Status use() override { return {}; }

 private:
  const std::vector<Example>& examples_;
  std::vector<std::string_view> words_;
};

class PlainSource final : public ExampleSource {
 public:
  explicit PlainSource(FittingExamples fitting) : fitting_(std::move(fitting)) {}

  [[nodiscard]] std::size_t size() const override { return fitting_.examples.size(); }

  [[nodiscard]] std::unique_ptr<ExampleReader> reader(data::Purpose /*all*/) const override {
    return std::make_unique<PlainReader>(fitting_.examples);
  }

  [[nodiscard]] bool is_plain() const override { return true; }

  [[nodiscard]] const LeftOut& left_out() const override { return fitting_.left_out; }

 private:
  FittingExamples fitting_;
};

class StoredReader final : public ExampleReader {
 public:
  StoredReader(SecureRecordStore& store, const LabelReader& labels, data::Purpose purpose)
      : store_(store), labels_(labels), capability_(store.grant(purpose)) {}

  Result<ExampleView> read(std::size_t index) override {
    opened_.reset();
    SOTTO_ASSIGN_OR_RETURN(OpenedRecord record, store_.open_record(capability_, index));
    opened_.emplace(std::move(record));
    const auto fields = data::fields_of(opened_->bytes(), store_.kind());
    SOTTO_CHECK(fields.has_value(), "we sealed a record of another kind");
    if (store_.kind() == Kind::kTexts) return ExampleView{fields->front()};
    if (store_.kind() == Kind::kTaggedWords) return sentence(*fields, index);
    const std::optional<std::int64_t> label = labels_.find(fields->front());
    if (!label) return misfit(index);
    return ExampleView{fields->back(), *label};
  }

  Status use() override { return store_.count_use(capability_); }

 private:
  [[nodiscard]] ExampleView misfit(std::size_t index) const {
    ExampleView out;
    out.misfit =
        store_.name() + ": record " + std::to_string(index + 1) + " " + labels_.unknown_label();
    return out;
  }

  ExampleView sentence(const std::vector<std::string_view>& fields, std::size_t index) {
    words_.clear();
    tags_.clear();
    ExampleView out;
    for (std::size_t i = 0; i < fields.size(); i += 2) {
      const std::optional<std::int64_t> tag = labels_.find(fields[i + 1]);
      if (!tag) return misfit(index);
      words_.push_back(fields[i]);
      tags_.push_back(*tag);
      if (out.label == 0 && *tag > 0) out.label = (*tag + 1) / 2;
    }
    out.words = words_;
    out.tags = tags_;
    return out;
  }

  SecureRecordStore& store_;
  const LabelReader& labels_;
  Capability capability_;
  std::optional<OpenedRecord> opened_;
  std::vector<std::string_view> words_;
  std::vector<std::int64_t> tags_;
};

class StoredSource final : public ExampleSource {
 public:
  StoredSource(std::shared_ptr<SecureRecordStore> store, LabelReader labels)
      : store_(std::move(store)), labels_(std::move(labels)) {}

  [[nodiscard]] std::size_t size() const override { return store_->count(); }

  [[nodiscard]] std::unique_ptr<ExampleReader> reader(data::Purpose purpose) const override {
    return std::make_unique<StoredReader>(*store_, labels_, purpose);
  }

  [[nodiscard]] bool is_plain() const override { return false; }

  [[nodiscard]] const LeftOut& left_out() const override { return none_; }

 private:
  std::shared_ptr<SecureRecordStore> store_;
  LabelReader labels_;
  LeftOut none_;
};

Kind kind_for(const config::JobConfig& job) {
  switch (job.make_task()->form()) {
    case tasks::RecordForm::kTexts:
      return Kind::kTexts;
    case tasks::RecordForm::kLabelledTexts:
      return Kind::kLabelledTexts;
    case tasks::RecordForm::kTaggedWords:
      break;
  }
  return Kind::kTaggedWords;
}

}  // namespace

Examples::Examples(std::vector<Example> plain) : Examples(FittingExamples{std::move(plain)}) {}

Examples::Examples(FittingExamples plain)
    : source_(std::make_shared<PlainSource>(std::move(plain))) {}

Result<Examples> stored_examples(std::shared_ptr<data::SecureRecordStore> store,
                                 const config::JobConfig& job,
                                 const std::vector<std::string>& declared) {
  if (store->kind() != kind_for(job))
    return Error{store->name() + " contains " + std::string(data::name_of(store->kind())) +
                 "; the job needs " + std::string(data::name_of(kind_for(job)))};
  return Examples(std::make_shared<StoredSource>(std::move(store), LabelReader(job, declared)));
}

}  // namespace sotto::data

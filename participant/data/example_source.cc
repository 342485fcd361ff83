#include "participant/data/example_source.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "common/base/check.h"

namespace sotto::learning {
namespace {

using records::Capability;
using records::Kind;
using records::OpenedRecord;
using records::SecureRecordStore;

class PlainReader final : public ExampleReader {
 public:
  explicit PlainReader(const std::vector<Example>& examples) : examples_(examples) {}

  Result<ExampleView> read(std::size_t index) override {
    const Example& e = examples_[index];
    words_.assign(e.words.begin(), e.words.end());
    return ExampleView{e.text, e.label, words_, e.tags};
  }

  Status use() override { return {}; }

 private:
  const std::vector<Example>& examples_;
  std::vector<std::string_view> words_;
};

class PlainSource final : public ExampleSource {
 public:
  explicit PlainSource(std::vector<Example> examples) : examples_(std::move(examples)) {}

  [[nodiscard]] std::size_t size() const override { return examples_.size(); }

  [[nodiscard]] std::unique_ptr<ExampleReader> reader(records::Purpose /*all*/) const override {
    return std::make_unique<PlainReader>(examples_);
  }

  [[nodiscard]] bool is_plain() const override { return true; }

 private:
  std::vector<Example> examples_;
};

class StoredReader final : public ExampleReader {
 public:
  StoredReader(SecureRecordStore& store, const std::vector<std::string>& classes,
               records::Purpose purpose)
      : store_(store), classes_(classes), capability_(store.grant(purpose)) {}

  Result<ExampleView> read(std::size_t index) override {
    opened_.reset();
    Result<OpenedRecord> record = store_.open_record(capability_, index);
    if (!record) return record.error();
    opened_.emplace(std::move(record).value());
    const auto fields = records::fields_of(opened_->bytes(), store_.kind());
    SOTTO_CHECK(fields.has_value(), "we sealed a record of another kind");
    const auto wrong = [&](const char* what) { return error_at(index, what); };
    if (store_.kind() == Kind::kTexts) return ExampleView{fields->front()};
    if (store_.kind() == Kind::kTaggedWords) return sentence(*fields, wrong);
    const std::optional<std::int64_t> label = class_of(fields->front());
    if (!label) return wrong("has a label that the job does not name; it names ");
    return ExampleView{fields->back(), *label};
  }

  Status use() override { return store_.count_use(capability_); }

 private:
  [[nodiscard]] Error error_at(std::size_t index, const char* what) const {
    std::string names;
    for (const std::string& name : classes_)
      names += (names.empty() ? "" : ", ") + name;
    return {store_.name() + ": record " + std::to_string(index + 1) + " " + what + names};
  }

  [[nodiscard]] std::optional<std::int64_t> class_of(std::string_view name) const {
    const auto found = std::ranges::find(classes_, name);
    if (found == classes_.end()) return std::nullopt;
    return found - classes_.begin();
  }

  template <class Wrong>
  Result<ExampleView> sentence(const std::vector<std::string_view>& fields, const Wrong& wrong) {
    words_.clear();
    tags_.clear();
    ExampleView out;
    for (std::size_t i = 0; i < fields.size(); i += 2) {
      const std::optional<std::int64_t> tag = class_of(fields[i + 1]);
      if (!tag) return wrong("has a word whose tag the job does not have; it has ");
      words_.push_back(fields[i]);
      tags_.push_back(*tag);
      if (out.label == 0 && *tag > 0) out.label = (*tag + 1) / 2;
    }
    out.words = words_;
    out.tags = tags_;
    return out;
  }

  SecureRecordStore& store_;
  const std::vector<std::string>& classes_;
  Capability capability_;
  std::optional<OpenedRecord> opened_;
  std::vector<std::string_view> words_;
  std::vector<std::int64_t> tags_;
};

class StoredSource final : public ExampleSource {
 public:
  StoredSource(std::shared_ptr<SecureRecordStore> store, std::vector<std::string> classes)
      : store_(std::move(store)), classes_(std::move(classes)) {}

  [[nodiscard]] std::size_t size() const override { return store_->count(); }

  [[nodiscard]] std::unique_ptr<ExampleReader> reader(records::Purpose purpose) const override {
    return std::make_unique<StoredReader>(*store_, classes_, purpose);
  }

  [[nodiscard]] bool is_plain() const override { return false; }

 private:
  std::shared_ptr<SecureRecordStore> store_;
  std::vector<std::string> classes_;
};

Kind kind_for(const config::JobConfig& job) {
  if (job.is_token_classification()) return Kind::kTaggedWords;
  return job.task.labels.empty() ? Kind::kTexts : Kind::kLabelledTexts;
}

}  // namespace

Examples::Examples(std::vector<Example> plain)
    : source_(std::make_shared<PlainSource>(std::move(plain))) {}

Result<Examples> stored_examples(std::shared_ptr<records::SecureRecordStore> store,
                                 const config::JobConfig& job) {
  if (store->kind() != kind_for(job))
    return Error{store->name() + ": holds " + std::string(records::name_of(store->kind())) +
                 "; the job needs " + std::string(records::name_of(kind_for(job)))};
  if (store->count() == 0) return Error{store->name() + ": holds no example"};
  return Examples(std::make_shared<StoredSource>(std::move(store), job.classes()));
}

}  // namespace sotto::learning

// Where a trainer's examples come from: plain files, or a site's sealed records, one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"
#include "participant/data/examples.h"
#include "participant/data/secure_record_store.h"

namespace sotto::learning {

/// An Example where it lies.
struct ExampleView {
  std::string_view text;
  std::int64_t label = 0;
  std::span<const std::string_view> words{};
  std::span<const std::int64_t> tags{};
  /// Why the record is no example of the job, with its place; then the rest is empty. Empty: it is
  /// one.
  std::string misfit{};
};

/// Reads for one purpose, on the thread that asked for it.
class ExampleReader {
 public:
  virtual ~ExampleReader() = default;
  /// Good until the next call. index < size() of the source. An Error names the store and the
  /// record, and never shows it.
  virtual Result<ExampleView> read(std::size_t index) = 0;
  /// Before what was made of an example and sealed is opened: counts like reading it.
  virtual Status use() = 0;
};

/// Immutable; any thread. Outlives its readers.
class ExampleSource {
 public:
  virtual ~ExampleSource() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  /// For the calling thread.
  [[nodiscard]] virtual std::unique_ptr<ExampleReader> reader(records::Purpose purpose) const = 0;
  /// They lie open in ordinary memory anyway: what is made of them may be kept there too.
  [[nodiscard]] virtual bool is_plain() const = 0;
  /// The records that were left out when the source was made.
  [[nodiscard]] virtual const LeftOut& left_out() const = 0;
};

/// The examples of one split; copies share them.
class Examples {
 public:
  /// None.
  Examples() : Examples(std::vector<Example>{}) {}

  Examples(std::vector<Example> plain);  // NOLINT(google-explicit-constructor): a vector is one
  explicit Examples(FittingExamples plain);

  explicit Examples(std::shared_ptr<const ExampleSource> source) : source_(std::move(source)) {}

  [[nodiscard]] const ExampleSource& source() const { return *source_; }

  [[nodiscard]] std::size_t size() const { return source_->size(); }

 private:
  std::shared_ptr<const ExampleSource> source_;
};

/// A store's records as the job's examples: labels and tags become indexes when a record is read,
/// and one that does not fit the job or `declared` (the site's data.labels) is read as a misfit. An
/// Error where the store holds another kind of records than the job needs.
Result<Examples> stored_examples(std::shared_ptr<records::SecureRecordStore> store,
                                 const config::JobConfig& job,
                                 const std::vector<std::string>& declared = {});

}  // namespace sotto::learning

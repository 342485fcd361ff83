// The sources of a trainer's examples: plain files, or a site's sealed records that are opened one
// at a time.
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

namespace sotto::data {

/// ExampleView is an Example by reference to its bytes.
struct ExampleView {
  std::string_view text;
  std::int64_t label = 0;
  std::span<const std::string_view> words{};
  std::span<const std::int64_t> tags{};
  /// Where the record does not fit the job: the reason with its place; the other fields are then
  /// empty. Empty where it fits.
  std::string misfit{};
  std::string_view person{};  // as Example::person
};

/// An ExampleReader reads examples for one purpose, on the thread that requested it.
class ExampleReader {
 public:
  virtual ~ExampleReader() = default;
  /// Returns the example, valid until the next call. index < size() of the source. An Error names
  /// the store and the record and never contains the record's content.
  virtual Result<ExampleView> read(std::size_t index) = 0;
  /// Counts a use of the sealed derivative of an example (such as its tokens), as read() would
  /// count. Call it before the derivative is opened.
  virtual Status use() = 0;
};

/// An ExampleSource holds the examples of one split. It is immutable, may be used by any thread,
/// and must outlive its readers.
class ExampleSource {
 public:
  virtual ~ExampleSource() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  /// Makes a reader for the calling thread.
  [[nodiscard]] virtual std::unique_ptr<ExampleReader> reader(data::Purpose purpose) const = 0;
  /// Returns whether the examples are in ordinary memory unprotected, so that data derived from
  /// them may be kept there too.
  [[nodiscard]] virtual bool is_plain() const = 0;
  /// Returns the records that were left out when the source was made.
  [[nodiscard]] virtual const LeftOut& left_out() const = 0;
};

/// Examples are the examples of one split; copies share them.
class Examples {
 public:
  /// Makes an empty split.
  Examples() : Examples(std::vector<Example>{}) {}

  Examples(std::vector<Example> plain);  // NOLINT(google-explicit-constructor): a vector is one
  explicit Examples(FittingExamples plain);

  explicit Examples(std::shared_ptr<const ExampleSource> source) : source_(std::move(source)) {}

  [[nodiscard]] const ExampleSource& source() const { return *source_; }

  [[nodiscard]] std::size_t size() const { return source_->size(); }

 private:
  std::shared_ptr<const ExampleSource> source_;
};

/// Makes the job's examples from a store's records. Labels and tags become indexes when a record is
/// read; a record that does not fit the job or `declared` (the site's data.labels) is read as a
/// misfit. Returns an Error where the store holds another kind of records than the job needs.
Result<Examples> stored_examples(std::shared_ptr<data::SecureRecordStore> store,
                                 const config::JobConfig& job,
                                 const std::vector<std::string>& declared = {});

}  // namespace sotto::data

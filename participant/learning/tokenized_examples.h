// A site's examples as sequences of ids, tokenized once. Those of plain files are kept as they are.
// Those of a record store are sealed again, under a key that lives as long as this object, and only
// a batch's ids lie open meanwhile: tokenizing anew for each batch cost a fifth of the quickstart's
// epoch.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/crypto/secret.h"
#include "participant/data/example_source.h"
#include "participant/learning/transformer/batch_torch.h"
#include "participant/text/tokenizer.h"

namespace sotto::learning {

/// Immutable; any thread.
class TokenizedExamples {
 public:
  /// Looks at every example once and leaves out those that do not fit the job. An Error where a
  /// record cannot be opened.
  static Result<TokenizedExamples> create(std::shared_ptr<const text::Tokenizer> tokenizer,
                                          Examples examples, const config::JobConfig& job);

  /// The number of examples that fit.
  [[nodiscard]] std::size_t size() const { return lengths_.size(); }

  /// The records that the source and this class left out.
  [[nodiscard]] const LeftOut& left_out() const { return left_out_; }

  /// Ids of each.
  [[nodiscard]] const std::vector<std::size_t>& lengths() const { return lengths_; }

  class Loader;
  /// For the calling thread; this outlives it.
  [[nodiscard]] Loader loader(records::Purpose purpose) const;

 private:
  TokenizedExamples(std::shared_ptr<const text::Tokenizer> tokenizer, Examples examples,
                    std::size_t max_length)
      : tokenizer_(std::move(tokenizer)), examples_(std::move(examples)), max_length_(max_length) {}

  [[nodiscard]] Sequence tokenize(const ExampleView& example) const;
  void keep(Sequence sequence);

  std::shared_ptr<const text::Tokenizer> tokenizer_;
  Examples examples_;
  std::size_t max_length_;
  LeftOut left_out_;
  std::vector<std::size_t> lengths_;
  std::vector<Sequence> kept_;  // of plain examples
  crypto::Secret32 key_;
  std::vector<Bytes> sealed_;  // of a store's
};

class TokenizedExamples::Loader {
 public:
  Loader(Loader&&) = default;
  Loader& operator=(Loader&&) = default;
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  /// Wipes the ids that it opened.
  ~Loader();

  /// In the order of `indices`; good until the next call. An Error where the thread may not open
  /// them.
  Result<std::vector<const Sequence*>> read(std::span<const std::uint64_t> indices);

 private:
  friend class TokenizedExamples;

  Loader(const TokenizedExamples& from, std::unique_ptr<ExampleReader> reader)
      : from_(&from), reader_(std::move(reader)) {}

  void forget();

  const TokenizedExamples* from_;
  std::unique_ptr<ExampleReader> reader_;  // of sealed examples
  std::vector<Sequence> opened_;
};

}  // namespace sotto::learning

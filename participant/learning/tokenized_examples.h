// TokenizedExamples holds a site's examples as sequences of ids, tokenized once. Examples of plain
// files are kept as they are. Those of a record store are sealed again, under a key that lives as
// long as this object, so that only the ids of one batch are open at a time. Tokenizing for each
// batch instead took a fifth of the quickstart's epoch.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/crypto/secret.h"
#include "participant/data/example_source.h"
#include "participant/learning/dp_sgd/draw_units.h"
#include "participant/learning/transformer/batch_torch.h"
#include "participant/text/token_statistics.h"
#include "participant/text/tokenizer.h"

namespace sotto::learning {

/// Immutable. Use from any thread.
class TokenizedExamples {
 public:
  /// Whether examples are for the training of a job, whose units may be persons.
  enum class Split { kTraining, kEvaluation };

  /// Reads every example once and leaves out those that do not fit the job. An Error if a record
  /// cannot be opened.
  static Result<TokenizedExamples> create(std::shared_ptr<const text::Tokenizer> tokenizer,
                                          data::Examples examples, const config::JobConfig& job,
                                          Split split);

  /// The number of examples that fit.
  [[nodiscard]] std::size_t size() const { return lengths_.size(); }

  /// The records that the source and this class left out.
  [[nodiscard]] const data::LeftOut& left_out() const { return left_out_; }

  /// The number of ids of each example.
  [[nodiscard]] const std::vector<std::size_t>& lengths() const { return lengths_; }

  /// What was cut and what the vocabulary does not know, for the site's own people.
  [[nodiscard]] const text::TokenStatistics& tokens() const { return tokens_; }

  /// The units that a step draws. The examples that belong to none are not kept.
  [[nodiscard]] const DrawUnits& units() const { return units_; }

  class Loader;
  /// Returns a loader for the calling thread. This object outlives it.
  [[nodiscard]] Loader loader(data::Purpose purpose) const;

 private:
  TokenizedExamples(std::shared_ptr<const text::Tokenizer> tokenizer, data::Examples examples,
                    std::size_t max_length)
      : tokenizer_(std::move(tokenizer)),
        examples_(std::move(examples)),
        max_length_(max_length),
        tokens_(*tokenizer_, max_length) {}

  [[nodiscard]] Sequence tokenize(const data::ExampleView& example);
  void cut(std::vector<std::int32_t>& ids);
  void keep(Sequence sequence);
  void draw_persons(std::vector<std::vector<std::uint64_t>> persons);

  std::shared_ptr<const text::Tokenizer> tokenizer_;
  data::Examples examples_;
  std::size_t max_length_;
  text::TokenStatistics tokens_;
  data::LeftOut left_out_;
  std::vector<std::size_t> lengths_;
  DrawUnits units_{0};
  std::vector<Sequence> kept_;  // examples of plain files
  crypto::Secret32 key_;
  std::vector<Bytes> sealed_;  // examples of a record store
};

class TokenizedExamples::Loader {
 public:
  Loader(Loader&&) = default;
  Loader& operator=(Loader&&) = default;
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  /// Wipes the ids that it opened.
  ~Loader();

  /// Returns the sequences in the order of `indices`, valid until the next call. An Error if the
  /// thread may not open them.
  Result<std::vector<const Sequence*>> read(std::span<const std::uint64_t> indices);

 private:
  friend class TokenizedExamples;

  Loader(const TokenizedExamples& from, std::unique_ptr<data::ExampleReader> reader)
      : from_(&from), reader_(std::move(reader)) {}

  void forget();

  const TokenizedExamples* from_;
  std::unique_ptr<data::ExampleReader> reader_;  // opens sealed examples
  std::vector<Sequence> opened_;
};

}  // namespace sotto::learning

// TokenStatistics counts the tokens of a site's texts: how long the texts are, how many are cut,
// and how much of them the vocabulary does not know. For the site's own people.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "participant/text/tokenizer.h"

namespace sotto::text {

class TokenStatistics {
 public:
  /// `max_length` is the model.max_length of the job, with the frame of a text.
  TokenStatistics(const Tokenizer& tokenizer, std::size_t max_length);

  /// Adds a text. `ids` are with the frame; `length` is their number before they were cut.
  void add(std::span<const std::int32_t> ids, std::size_t length);

  [[nodiscard]] std::uint64_t texts() const { return lengths_.size(); }

  /// The number of texts that are longer than max_length.
  [[nodiscard]] std::uint64_t cut() const { return cut_; }

  /// The share of tokens, without the frames, that are the token for unknown pieces.
  [[nodiscard]] double unknown_share() const;

  /// The number of texts without any token.
  [[nodiscard]] std::uint64_t empty() const { return empty_; }

  /// Returns the length that the share `part` of the texts does not exceed, with the frame: 0.5 is
  /// the median, 1 the longest. 0 without texts.
  [[nodiscard]] std::size_t length_at(double part) const;

  /// Returns sentences about what training loses: texts that are cut, texts without a token, and a
  /// share of unknown tokens above 20 %. Empty if there is nothing to say.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  std::size_t frame_, max_length_;
  std::vector<std::int32_t> unknown_ids_;
  std::vector<std::uint32_t> lengths_;
  std::uint64_t cut_ = 0, tokens_ = 0, unknown_ = 0, empty_ = 0;
};

}  // namespace sotto::text

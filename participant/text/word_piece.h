// WordPiece (Wu et al. 2016) as BERT uses it: the longest token that is a prefix of the word, then
// repeatedly the longest that continues it. Immutable; any thread may use it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "participant/text/vocabulary.h"

namespace sotto::text {

struct WordPieceRules {
  std::int32_t unknown = 0;        // for a whole word that cannot be cut into tokens
  std::string prefix = "##";       // of tokens that continue a word
  std::size_t longest_word = 100;  // characters; a longer word is unknown
};

class WordPieces {
 public:
  WordPieces(Vocabulary vocabulary, WordPieceRules rules)
      : vocabulary_(std::move(vocabulary)), rules_(std::move(rules)) {}

  /// Appends the ids of one word.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  Vocabulary vocabulary_;
  WordPieceRules rules_;
};

}  // namespace sotto::text

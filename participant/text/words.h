// Splitting of a running text into words as in named-entity data sets: at white space, with
// punctuation separated from letters and the possessive 's from its noun. The functions are pure
// and may be called from any thread.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace sotto::text {

/// Bytes [begin, end) of the text.
struct WordPlace {
  std::size_t begin = 0, end = 0;

  bool operator==(const WordPlace&) const = default;
};

/// Returns the words in order. A word consists of letters and digits, also with an apostrophe or a
/// hyphen between two of them ("O'Brien", "Jean-Luc"), or of one character that is neither. `text`
/// is UTF-8.
std::vector<WordPlace> words_of(std::string_view text);

}  // namespace sotto::text

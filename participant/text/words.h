// The words of a running text as files of named entities have them apart: what is between white
// space, marks apart from letters, the possessive 's apart from its noun. Pure; any thread.
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

/// In order. A word is letters and digits, also with an apostrophe or a hyphen between two of them
/// ("O'Brien", "Jean-Luc"), or one character that is neither. `text` is UTF-8.
std::vector<WordPlace> words_of(std::string_view text);

}  // namespace sotto::text

// Well-formed UTF-8 by the Unicode Standard's table 3-7: no overlong forms, no surrogates, nothing
// above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sotto {

/// How many bytes at the start of `text` are well-formed: text.size() when all are.
std::size_t utf8_prefix(std::string_view text);

inline bool is_utf8(std::string_view text) {
  return utf8_prefix(text) == text.size();
}

/// Code points that begin in `text`.
std::size_t utf8_length(std::string_view text);

/// "LINE:COLUMN" of a byte, both from one, the column in code points.
std::string line_and_column(std::string_view text, std::size_t offset);

}  // namespace sotto

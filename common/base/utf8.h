// Checks of UTF-8. Well-formed means: by table 3-7 of the Unicode Standard, without overlong forms,
// surrogates, or code points above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sotto {

/// Returns the number of bytes at the start of `text` that are well-formed: text.size() when all
/// are.
std::size_t utf8_prefix(std::string_view text);

inline bool is_utf8(std::string_view text) {
  return utf8_prefix(text) == text.size();
}

/// Returns the number of code points that begin in `text`.
std::size_t utf8_length(std::string_view text);

/// Returns "LINE:COLUMN" of the byte at `offset`, both from 1, the column in code points.
std::string line_and_column(std::string_view text, std::size_t offset);

}  // namespace sotto

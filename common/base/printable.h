// printable() makes text from another party safe for a terminal, a log and JSON.
#pragma once

#include <string>
#include <string_view>

namespace sotto {

/// Returns at most `limit` characters of `text`, with '?' in place of every byte that is not
/// printable ASCII (control characters, terminal escapes, all of UTF-8 beyond ASCII).
inline std::string printable(std::string_view text, std::size_t limit = 500) {
  std::string out(text.substr(0, limit));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

}  // namespace sotto

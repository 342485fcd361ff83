// Text that came from somebody else, made safe for a terminal, a log and JSON.
#pragma once

#include <string>
#include <string_view>

namespace sotto {

/// Printable ASCII stays; every other byte (control characters, terminal escapes, broken UTF-8)
/// becomes '?'. At most `limit` characters.
inline std::string printable(std::string_view text, std::size_t limit = 500) {
  std::string out(text.substr(0, limit));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return out;
}

}  // namespace sotto

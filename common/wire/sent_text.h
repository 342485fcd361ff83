// How much of a text a frame carries. One rule for the encoder and for those who sign a text, so
// that no text of a message makes a frame that its receiver refuses.
#pragma once

#include <cstdint>
#include <string_view>

namespace sotto::wire {

/// Of a text of which decode() takes `limit` bytes: all of it, or its beginning up to a whole UTF-8
/// character.
inline std::string_view as_sent(std::string_view text, std::uint32_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
    --end;  // a byte that goes on with a character
  return text.substr(0, end);
}

}  // namespace sotto::wire

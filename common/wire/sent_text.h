// The part of a text that a frame carries. The encoder and the code that signs texts use the same
// rule, so that no text makes a frame that its receiver refuses.
#pragma once

#include <cstdint>
#include <string_view>

namespace sotto::wire {

/// Returns the part of `text` that is sent when decode() accepts `limit` bytes: all of it, or its
/// beginning up to the end of a whole UTF-8 character.
inline std::string_view as_sent(std::string_view text, std::uint32_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
    --end;  // a continuation byte of a character
  return text.substr(0, end);
}

}  // namespace sotto::wire

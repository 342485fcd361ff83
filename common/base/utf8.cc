#include "common/base/utf8.h"

#include <algorithm>

namespace sotto {

std::size_t utf8_prefix(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&text](std::size_t i) {
      return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const unsigned lead = byte(at);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xC2 ? 9
                             : lead < 0xE0 ? 1
                             : lead < 0xF0 ? 2
                             : lead < 0xF5 ? 3
                                           : 9;
    if (more == 9) return at;
    for (std::size_t i = 1; i <= more; ++i)
      if ((byte(at + i) & 0xC0U) != 0x80U) return at;
    const unsigned second = byte(at + 1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
      return at;
    at += more + 1;
  }
  return text.size();
}

std::size_t utf8_length(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string line_and_column(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t line_end = before.rfind('\n');
  const std::string_view line =
      line_end == std::string_view::npos ? before : before.substr(line_end + 1);
  return std::to_string(1 + std::ranges::count(before, '\n')) + ":" +
         std::to_string(1 + utf8_length(line));
}

}  // namespace sotto

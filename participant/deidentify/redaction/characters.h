// Line gives the scanners access to the bytes of a line; a position outside the line reads as a
// zero byte.
#pragma once

#include <cstddef>
#include <string_view>

namespace sotto::redaction {

class Line {
 public:
  explicit Line(std::string_view text) : text_(text) {}

  [[nodiscard]] std::size_t size() const { return text_.size(); }

  [[nodiscard]] std::string_view text() const { return text_; }

  [[nodiscard]] char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }

  /// Returns the byte before `i`; a zero byte before the first.
  [[nodiscard]] char before(std::size_t i) const { return i == 0 ? '\0' : at(i - 1); }

 private:
  std::string_view text_;
};

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

inline bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

inline bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Returns whether the byte is part of a word: bytes of characters beyond ASCII count as letters.
inline bool is_word(char c) {
  return is_digit(c) || is_ascii_letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

inline char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace sotto::redaction

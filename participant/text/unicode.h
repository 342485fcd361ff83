// The Unicode functions of tokenizers and redaction, implemented with ICU: the tables are large,
// change every year, and determine the ids of a text. Texts are UTF-8 everywhere else. The
// functions are pure and may be called from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::text {

/// Returns the text with each malformed sequence replaced by U+FFFD.
std::string valid_utf8(std::string_view bytes);

std::vector<char32_t> characters_of(std::string_view text);
void append(std::string& text, char32_t character);

enum class NormalForm : std::uint8_t { kNfc, kNfd, kNfkc, kNfkd };
std::string normalized(const std::string& text, NormalForm form);

/// Lower-cases character by character, without context.
std::string lower_case(const std::string& text);
/// Removes non-spacing marks; the text must be decomposed first.
std::string without_accents(const std::string& text);

bool is_white_space(char32_t c);
bool is_digit(char32_t c);
/// As in BERT: the ASCII symbols ($, +, ^, ...) count too.
bool is_punctuation(char32_t c);
/// Every category C except tab and line ends.
bool is_control(char32_t c);
bool is_cjk(char32_t c);
/// A letter of any script, or a mark that combines with one.
bool is_letter_or_mark(char32_t c);
bool is_upper(char32_t c);

/// Pattern is a regular expression in the syntax of the tokenizers library (Oniguruma's), where \s
/// is every White_Space character.
class Pattern {
 public:
  static Result<Pattern> compile(std::string_view expression);
  /// Makes a pattern that matches exactly this text.
  static Pattern literal(std::string_view text);

  struct Piece {
    std::string text;
    bool match = false;
  };

  /// Returns the whole text, cut before and after each match, without empty pieces.
  [[nodiscard]] std::vector<Piece> cut(const std::string& text) const;
  [[nodiscard]] std::string replaced(const std::string& text, std::string_view by) const;

 private:
  struct Compiled;

  explicit Pattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace sotto::text

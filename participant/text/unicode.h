// What tokenizers and masking need of Unicode, over ICU: the tables are large, change every year,
// and decide which ids a text becomes. Texts are UTF-8 everywhere else. Pure; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::text {

/// The same text, each malformed sequence replaced by U+FFFD.
std::string valid_utf8(std::string_view bytes);

std::vector<char32_t> characters_of(std::string_view text);
void append(std::string& text, char32_t character);

enum class NormalForm : std::uint8_t { kNfc, kNfd, kNfkc, kNfkd };
std::string normalized(const std::string& text, NormalForm form);

/// Character by character, without context.
std::string lower_case(const std::string& text);
/// Non-spacing marks out; decompose first.
std::string without_accents(const std::string& text);

bool is_white_space(char32_t c);
bool is_digit(char32_t c);
/// As BERT has it: the ASCII symbols ($, +, ^, ...) too.
bool is_punctuation(char32_t c);
/// Every category C but tab and line ends.
bool is_control(char32_t c);
bool is_cjk(char32_t c);
/// A letter of any script, or a mark that is written over one.
bool is_letter_or_mark(char32_t c);
bool is_upper(char32_t c);

/// A regular expression in the spelling of the tokenizers library (Oniguruma's), where \s is every
/// White_Space character.
class Pattern {
 public:
  static Result<Pattern> compile(std::string_view expression);
  /// Matches this text, letter by letter.
  static Pattern literal(std::string_view text);

  struct Piece {
    std::string text;
    bool match = false;
  };

  /// The whole text, cut before and after each match; no empty pieces.
  [[nodiscard]] std::vector<Piece> cut(const std::string& text) const;
  [[nodiscard]] std::string replaced(const std::string& text, std::string_view by) const;

 private:
  struct Compiled;

  explicit Pattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace sotto::text

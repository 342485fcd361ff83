#include "participant/text/words.h"

#include "participant/text/unicode.h"

namespace sotto::text {
namespace {

struct Character {
  WordPlace place;
  char32_t code = 0;

  [[nodiscard]] bool is_part_of_word() const { return is_letter_or_mark(code) || is_digit(code); }

  [[nodiscard]] bool is_joint() const { return code == U'\'' || code == U'-' || code == U'\u2019'; }
};

std::vector<Character> characters_with_places(std::string_view text) {
  std::vector<Character> out;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
      ++end;
    out.push_back({{begin, end}, characters_of(text.substr(begin, end - begin)).front()});
    begin = end;
  }
  return out;
}

/// Returns where the possessive at the end of a word begins; the word's end where there is none.
std::size_t without_possessive(std::string_view text, WordPlace word) {
  for (const std::string_view ending : {"'s", "'S", "\u2019s"})
    if (text.substr(word.begin, word.end - word.begin).ends_with(ending))
      return word.end - ending.size();
  return word.end;
}

}  // namespace

std::vector<WordPlace> words_of(std::string_view text) {
  const std::vector<Character> characters = characters_with_places(text);
  const auto part = [&](std::size_t i) {
    return i < characters.size() && characters[i].is_part_of_word();
  };
  std::vector<WordPlace> words;
  for (std::size_t i = 0; i < characters.size();) {
    if (is_white_space(characters[i].code)) {
      ++i;
      continue;
    }
    WordPlace word = characters[i].place;
    const bool letters = part(i++);
    while (letters && (part(i) || (part(i + 1) && characters[i].is_joint())))
      word.end = characters[i++].place.end;
    const std::size_t noun = without_possessive(text, word);
    words.push_back({word.begin, noun});
    if (noun < word.end) words.push_back({noun, word.end});
  }
  return words;
}

}  // namespace sotto::text

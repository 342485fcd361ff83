// Claims about the words of a running text.
#include "participant/text/words.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace sotto::text {
namespace {

std::string cut(std::string_view text) {
  std::string out;
  for (const WordPlace& place : words_of(text))
    out +=
        (out.empty() ? "" : "|") + std::string(text.substr(place.begin, place.end - place.begin));
  return out;
}

TEST(Words, AreApartFromMarksAndFromThePossessive) {
  EXPECT_EQ(cut("Ask Anna, (or O'Brien) now."), "Ask|Anna|,|(|or|O'Brien|)|now|.");
  EXPECT_EQ(cut("Jean-Luc's dog - and James\u2019s"), "Jean-Luc|'s|dog|-|and|James|\u2019s");
  EXPECT_EQ(cut("@anna #tag a_b 3.5 well- 'quoted'"), "@|anna|#|tag|a|_|b|3|.|5|well|-|'|quoted|'");
  EXPECT_EQ(cut(" \t\u00A0\u3000"), "");
  EXPECT_EQ(cut(""), "");
}

TEST(Words, ArePlacesInBytesWhateverTheCharactersTake) {
  const std::string_view text =
      "\u00BBZo\u00EB M\u00FCller\u00AB \u2192 \u0141\u00F3d\u017A \U0001F600!";
  const std::vector<WordPlace> expected = {{0, 2},   {2, 6},   {7, 14},  {14, 16},
                                           {17, 20}, {21, 28}, {29, 33}, {33, 34}};
  EXPECT_EQ(words_of(text), expected);
  // e and a combining accent are one letter to a reader, two characters in the file.
  EXPECT_EQ(cut("Zoe\u0308 x"), "Zoe\u0308|x");
}

}  // namespace
}  // namespace sotto::text

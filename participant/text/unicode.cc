#include "participant/text/unicode.h"

#include <algorithm>
#include <array>
#include <utility>

#include <unicode/normalizer2.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "common/base/check.h"

namespace sotto::text {
namespace {

icu::UnicodeString from_utf8(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

std::string to_utf8(const icu::UnicodeString& text) {
  std::string out;
  return text.toUTF8String(out);
}

UChar32 icu_of(char32_t c) {
  return static_cast<UChar32>(c);
}

const icu::Normalizer2& normalizer(NormalForm form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* found = nullptr;
  switch (form) {
    case NormalForm::kNfc:
      found = icu::Normalizer2::getNFCInstance(status);
      break;
    case NormalForm::kNfd:
      found = icu::Normalizer2::getNFDInstance(status);
      break;
    case NormalForm::kNfkc:
      found = icu::Normalizer2::getNFKCInstance(status);
      break;
    case NormalForm::kNfkd:
      found = icu::Normalizer2::getNFKDInstance(status);
      break;
  }
  SOTTO_CHECK(U_SUCCESS(status) && found != nullptr, "ICU has no data for a normal form");
  return *found;
}

}  // namespace

std::string valid_utf8(std::string_view bytes) {
  return to_utf8(from_utf8(bytes));
}

std::vector<char32_t> characters_of(std::string_view text) {
  const icu::UnicodeString all = from_utf8(text);
  std::vector<char32_t> out;
  out.reserve(text.size());
  for (std::int32_t at = 0; at < all.length(); at = all.moveIndex32(at, 1))
    out.push_back(static_cast<char32_t>(all.char32At(at)));
  return out;
}

void append(std::string& text, char32_t character) {
  icu::UnicodeString(icu_of(character)).toUTF8String(text);
}

std::string normalized(const std::string& text, NormalForm form) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::UnicodeString out = normalizer(form).normalize(from_utf8(text), status);
  SOTTO_CHECK(U_SUCCESS(status), "ICU could not normalise");
  return to_utf8(out);
}

std::string lower_case(const std::string& text) {
  std::string out;
  for (const char32_t c : characters_of(text))
    append(out, static_cast<char32_t>(u_tolower(icu_of(c))));
  return out;
}

std::string without_accents(const std::string& text) {
  std::string out;
  for (const char32_t c : characters_of(text))
    if (u_charType(icu_of(c)) != U_NON_SPACING_MARK) append(out, c);
  return out;
}

bool is_white_space(char32_t c) {
  return u_isUWhiteSpace(icu_of(c)) != 0;
}

bool is_digit(char32_t c) {
  const auto type = u_charType(icu_of(c));
  return type == U_DECIMAL_DIGIT_NUMBER || type == U_LETTER_NUMBER || type == U_OTHER_NUMBER;
}

bool is_punctuation(char32_t c) {
  if (c >= 33 && c <= 126) return u_isalnum(icu_of(c)) == 0;
  return u_ispunct(icu_of(c)) != 0;
}

bool is_control(char32_t c) {
  if (c == U'\t' || c == U'\n' || c == U'\r') return false;
  switch (u_charType(icu_of(c))) {
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_UNASSIGNED:
    case U_PRIVATE_USE_CHAR:
    case U_SURROGATE:
      return true;
    default:
      return false;
  }
}

bool is_cjk(char32_t c) {
  constexpr std::array<std::pair<char32_t, char32_t>, 8> kRanges{{{0x4E00, 0x9FFF},
                                                                  {0x3400, 0x4DBF},
                                                                  {0x20000, 0x2A6DF},
                                                                  {0x2A700, 0x2B73F},
                                                                  {0x2B740, 0x2B81F},
                                                                  {0x2B820, 0x2CEAF},
                                                                  {0xF900, 0xFAFF},
                                                                  {0x2F800, 0x2FA1F}}};
  return std::ranges::any_of(kRanges, [c](const auto& r) { return c >= r.first && c <= r.second; });
}

bool is_letter_or_mark(char32_t c) {
  return u_isalpha(icu_of(c)) != 0 || u_charType(icu_of(c)) == U_NON_SPACING_MARK;
}

bool is_upper(char32_t c) {
  return u_isupper(icu_of(c)) != 0 || u_istitle(icu_of(c)) != 0;
}

struct Pattern::Compiled {
  explicit Compiled(std::unique_ptr<icu::RegexPattern> r) : regex(std::move(r)) {}

  std::unique_ptr<icu::RegexPattern> regex;
};

namespace {

/// ICU's \s does not include every White_Space character.
std::string in_icus_spelling(std::string_view expression) {
  std::string out;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    if (expression[i] != '\\' || i + 1 == expression.size()) {
      out += expression[i];
      continue;
    }
    const char kind = expression[++i];
    if (kind == 's' || kind == 'S')
      out += kind == 's' ? "\\p{White_Space}" : "\\P{White_Space}";
    else
      out.append({'\\', kind});
  }
  return out;
}

std::unique_ptr<icu::RegexPattern> compiled(const icu::UnicodeString& expression,
                                            std::uint32_t flags) {
  UErrorCode status = U_ZERO_ERROR;
  UParseError where{};
  std::unique_ptr<icu::RegexPattern> regex(
      icu::RegexPattern::compile(expression, flags, where, status));
  return U_SUCCESS(status) ? std::move(regex) : nullptr;
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view expression) {
  auto regex = compiled(from_utf8(in_icus_spelling(expression)), 0);
  if (regex == nullptr)
    return Error{std::string(expression) + " is not a regular expression that can be used here"};
  return Pattern(std::make_shared<const Compiled>(std::move(regex)));
}

Pattern Pattern::literal(std::string_view text) {
  auto regex = compiled(from_utf8(text), UREGEX_LITERAL);
  SOTTO_CHECK(regex != nullptr, "a literal is a pattern");
  return Pattern(std::make_shared<const Compiled>(std::move(regex)));
}

std::vector<Pattern::Piece> Pattern::cut(const std::string& text) const {
  const icu::UnicodeString all = from_utf8(text);
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::RegexMatcher> matcher(compiled_->regex->matcher(all, status));
  // The limit is in steps of ICU's engine, each of some milliseconds, so that the result is the
  // same on every machine.
  constexpr std::int32_t kLongestMatch = 100;
  if (U_SUCCESS(status)) matcher->setTimeLimit(kLongestMatch, status);
  std::vector<Piece> pieces;
  std::int32_t at = 0;
  const auto push = [&](std::int32_t end, bool match) {
    if (end > at) pieces.push_back({to_utf8(all.tempSubStringBetween(at, end)), match});
    at = end;
  };
  while (U_SUCCESS(status) && matcher->find(status)) {
    push(matcher->start(status), false);
    push(matcher->end(status), true);
  }
  // Only an expression with unlimited backtracking fails here; the rest of the text is then not
  // cut.
  push(all.length(), false);
  return pieces;
}

std::string Pattern::replaced(const std::string& text, std::string_view by) const {
  std::string out;
  for (const Piece& piece : cut(text))
    out += piece.match ? by : std::string_view(piece.text);
  return out;
}

}  // namespace sotto::text

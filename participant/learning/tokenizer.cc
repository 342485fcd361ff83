#include "participant/learning/tokenizer.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

namespace sotto::learning {
namespace {

constexpr std::size_t kLongestWord = 100;  // characters; BERT's max_input_chars_per_word

/// BERT's "control": every category C except the three white-space controls.
bool is_control(UChar32 c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  switch (u_charType(c)) {
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

/// BERT also treats the ASCII symbols ($, +, ^, ...) as punctuation.
bool is_punctuation(UChar32 c) {
  if (c >= 33 && c <= 126) return u_isalnum(c) == 0;
  return u_ispunct(c) != 0;
}

bool is_cjk(UChar32 c) {
  struct Range {
    UChar32 first, last;
  };

  constexpr Range kRanges[] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF},
                               {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B820, 0x2CEAF},
                               {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [c](const Range& r) { return c >= r.first && c <= r.last; });
}

template <class Visit>
void for_each_character(const icu::UnicodeString& text, Visit visit) {
  for (int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1))
    visit(text.char32At(at));
}

/// Control characters out, every white space a blank, blanks around CJK characters, decomposed.
icu::UnicodeString cleaned(std::string_view text) {
  icu::UnicodeString clean;
  const auto raw = icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  for_each_character(raw, [&clean](UChar32 c) {
    if (c == 0 || c == 0xFFFD || is_control(c)) return;
    if (is_cjk(c))
      clean.append(u' ').append(c).append(u' ');
    else
      clean.append(u_isUWhiteSpace(c) ? UChar32{' '} : c);
  });
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfd = icu::Normalizer2::getNFDInstance(status);
  SOTTO_CHECK(U_SUCCESS(status), "ICU has no NFD data");
  icu::UnicodeString decomposed = nfd->normalize(clean, status);
  SOTTO_CHECK(U_SUCCESS(status), "ICU could not normalise");
  return decomposed;
}

/// The number of bytes of the UTF-8 character at the start of valid `text`.
std::size_t first_character(std::string_view text) {
  std::size_t n = 1;
  while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80U)
    ++n;
  return n;
}

}  // namespace

Result<Vocabulary> Vocabulary::from_pieces(std::vector<std::string> pieces) {
  Vocabulary v;
  v.pieces_ = std::move(pieces);
  for (std::size_t id = 0; id < v.pieces_.size(); ++id)
    if (!v.ids_.emplace(v.pieces_[id], static_cast<std::int32_t>(id)).second)
      return Error{"vocabulary line " + std::to_string(id + 1) + ": the piece is there twice"};

  struct Special {
    const char* piece;
    std::int32_t* id;
  };

  for (const Special& s : {Special{"[PAD]", &v.pad_}, Special{"[UNK]", &v.unknown_},
                           Special{"[CLS]", &v.cls_}, Special{"[SEP]", &v.sep_}}) {
    const auto id = v.find(s.piece);
    if (!id) return Error{"the vocabulary has no " + std::string(s.piece) + " piece"};
    *s.id = *id;
  }
  return v;
}

Result<Vocabulary> Vocabulary::load(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return Error{file.string() + ": cannot be read"};
  std::vector<std::string> pieces;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    pieces.push_back(std::move(line));
  }
  auto vocabulary = from_pieces(std::move(pieces));
  if (!vocabulary) return Error{file.string() + ": " + vocabulary.error().message};
  return vocabulary;
}

std::optional<std::int32_t> Vocabulary::find(std::string_view piece) const {
  const auto it = ids_.find(piece);
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

std::vector<std::string> basic_words(std::string_view text) {
  std::vector<std::string> words;
  icu::UnicodeString word;
  const auto finish = [&words, &word] {
    if (word.isEmpty()) return;
    words.emplace_back();
    word.toUTF8String(words.back());
    word.remove();
  };
  for_each_character(cleaned(text), [&](UChar32 c) {
    if (u_charType(c) == U_NON_SPACING_MARK) return;  // an accent, once decomposed
    if (c == ' ') return finish();
    if (!is_punctuation(c)) {
      word.append(u_tolower(c));
      return;
    }
    finish();
    word.append(c);
    finish();
  });
  finish();
  return words;
}

Tokenizer::Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> ids;
  for (const std::string& word : basic_words(text))
    append_pieces(word, ids);
  return ids;
}

std::vector<std::int32_t> Tokenizer::encode_framed(std::string_view text,
                                                   std::size_t max_length) const {
  SOTTO_CHECK(max_length >= 2, "no room for [CLS] and [SEP]");
  std::vector<std::int32_t> ids = encode(text);
  if (ids.size() > max_length - 2) ids.resize(max_length - 2);
  ids.insert(ids.begin(), vocabulary_.cls());
  ids.push_back(vocabulary_.sep());
  return ids;
}

void Tokenizer::append_pieces(std::string_view word, std::vector<std::int32_t>& ids) const {
  std::vector<std::size_t> ends;  // byte offsets after each character
  for (std::size_t at = 0; at < word.size();)
    ends.push_back(at += first_character(word.substr(at)));
  if (ends.size() > kLongestWord) {
    ids.push_back(vocabulary_.unknown());
    return;
  }
  const std::size_t before = ids.size();
  std::string candidate;
  for (std::size_t start = 0; start < word.size();) {
    std::optional<std::int32_t> match;
    for (auto end = ends.rbegin(); end != ends.rend() && *end > start && !match; ++end) {
      candidate.assign(start == 0 ? "" : "##").append(word.substr(start, *end - start));
      match = vocabulary_.find(candidate);
      if (match) {
        ids.push_back(*match);
        start = *end;
      }
    }
    if (match) continue;
    ids.resize(before);  // one unknown piece makes the whole word unknown
    ids.push_back(vocabulary_.unknown());
    return;
  }
}

}  // namespace sotto::learning

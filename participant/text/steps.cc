#include "participant/text/steps.h"

#include <array>
#include <charconv>
#include <optional>
#include <unordered_map>
#include <utility>

#include "common/base/check.h"

namespace sotto::text {

Normalizer bert_normalizer(const BertCleaning& cleaning) {
  return [cleaning](const std::string& text) {
    std::string out;
    for (const char32_t c : characters_of(text)) {
      if (cleaning.clean_text && (c == 0 || c == 0xFFFD || is_control(c))) continue;
      const bool apart = cleaning.handle_chinese_chars && is_cjk(c);
      if (apart) out += ' ';
      append(out, cleaning.clean_text && is_white_space(c) ? U' ' : c);
      if (apart) out += ' ';
    }
    if (cleaning.strip_accents) out = without_accents(normalized(out, NormalForm::kNfd));
    return cleaning.lowercase ? lower_case(out) : out;
  };
}

std::vector<std::string> bert_words(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  const auto finish = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  for (const char32_t c : characters_of(text)) {
    const bool apart = is_punctuation(c);
    if (apart || is_white_space(c)) finish();
    if (is_white_space(c)) continue;
    append(word, c);
    if (apart) finish();
  }
  finish();
  return words;
}

// ---- bytes

namespace {

struct ByteAlphabet {
  std::array<std::string, 256> characters;
  std::unordered_map<char32_t, char> bytes;
};

const ByteAlphabet& byte_alphabet() {
  static const ByteAlphabet alphabet = [] {
    ByteAlphabet out;
    char32_t next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool stands_for_itself =
          (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const char32_t c = stands_for_itself ? byte : next++;
      append(out.characters[byte], c);
      out.bytes.emplace(c, static_cast<char>(byte));
    }
    return out;
  }();
  return alphabet;
}

/// Returns the byte that a token <0x..> represents.
std::optional<char> byte_of(std::string_view token) {
  unsigned value = 0;
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  const auto read = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
  if (read.ptr != token.data() + 5) return std::nullopt;
  return static_cast<char>(value);
}

}  // namespace

std::string bytes_as_characters(std::string_view text) {
  std::string out;
  for (const char byte : text)
    out += byte_alphabet().characters[static_cast<unsigned char>(byte)];
  return out;
}

std::string characters_as_bytes(std::string_view text) {
  std::string out;
  for (const char32_t c : characters_of(text)) {
    const auto at = byte_alphabet().bytes.find(c);
    if (at == byte_alphabet().bytes.end())
      append(out, c);
    else
      out += at->second;
  }
  return out;
}

const Pattern& gpt2_words() {
  static const Pattern pattern =
      Pattern::compile(
          R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)")
          .value();
  return pattern;
}

Splitter byte_level(bool space_before, bool by_words) {
  return [=](const std::string& text) {
    const std::string whole = space_before && !text.starts_with(' ') ? " " + text : text;
    std::vector<std::string> out;
    if (!by_words) return std::vector<std::string>{bytes_as_characters(whole)};
    for (const auto& piece : gpt2_words().cut(whole))
      out.push_back(bytes_as_characters(piece.text));
    return out;
  };
}

std::vector<std::string> bytes_joined(std::vector<std::string> tokens) {
  std::vector<std::string> out;
  std::string bytes;
  const auto finish = [&] {
    if (bytes.empty()) return;
    const std::string text = valid_utf8(bytes);
    // A run of bytes is decoded as a whole or not at all.
    if (text == bytes)
      out.push_back(text);
    else
      out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      bytes += *byte;
      continue;
    }
    finish();
    out.push_back(std::move(token));
  }
  finish();
  return out;
}

// ---- pieces

Splitter split_at(Pattern pattern, Matches matches) {
  return [pattern = std::move(pattern), matches](const std::string& text) {
    std::vector<std::string> out;
    for (auto& piece : pattern.cut(text))
      if (matches == Matches::kIsolated || !piece.match) out.push_back(std::move(piece.text));
    return out;
  };
}

namespace {

std::vector<std::string> digits(const std::string& text, bool one_by_one) {
  std::vector<std::string> out;
  bool after_digit = false;
  for (const char32_t c : characters_of(text)) {
    const bool digit = is_digit(c);
    if (out.empty() || digit != after_digit || (digit && one_by_one)) out.emplace_back();
    append(out.back(), c);
    after_digit = digit;
  }
  return out;
}

}  // namespace

std::vector<std::string> digits_apart(const std::string& text) {
  return digits(text, true);
}

std::vector<std::string> runs_of_digits_apart(const std::string& text) {
  return digits(text, false);
}

std::vector<std::string> cut_before(const std::string& text, const std::string& mark) {
  SOTTO_CHECK(!mark.empty(), "a mark is something");
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t next =
        std::min(text.find(mark, at + (text.compare(at, mark.size(), mark) == 0 ? mark.size() : 0)),
                 text.size());
    out.push_back(text.substr(at, next - at));
    at = next;
  }
  return out;
}

namespace {

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

}  // namespace

Decoder word_piece_decoder(std::string prefix, bool cleanup) {
  return [prefix = std::move(prefix), cleanup](std::vector<std::string> tokens) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kTogether{
        {{" .", "."},
         {" ?", "?"},
         {" !", "!"},
         {" ,", ","},
         {" ' ", "'"},
         {" n't", "n't"},
         {" 'm", "'m"},
         {" do not", " don't"},
         {" 's", "'s"},
         {" 've", "'ve"},
         {" 're", "'re"}}};
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      std::string& token = tokens[i];
      if (i > 0) token = token.starts_with(prefix) ? token.substr(prefix.size()) : " " + token;
      if (cleanup)
        for (const auto& [apart, together] : kTogether)
          replace_all(token, apart, together);
    }
    return tokens;
  };
}

}  // namespace sotto::text

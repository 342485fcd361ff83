// The steps of a tokenizer around its model, each with the name that the tokenizers library gives
// it. A step is a value without state; any thread may use it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "participant/text/unicode.h"

namespace sotto::text {

/// Maps a text to a text.
using Normalizer = std::function<std::string(std::string)>;
/// Maps a piece to the pieces that the model encodes one by one.
using Splitter = std::function<std::vector<std::string>(const std::string&)>;
/// Maps tokens to the strings whose concatenation is the text.
using Decoder = std::function<std::vector<std::string>(std::vector<std::string>)>;

struct BertCleaning {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

Normalizer bert_normalizer(const BertCleaning& cleaning);

/// Splits at white space, which is removed, and around punctuation, which is kept.
std::vector<std::string> bert_words(const std::string& text);

/// Maps each of the 256 bytes to a printable character, as in GPT-2: printable characters of
/// Latin-1 represent themselves.
std::string bytes_as_characters(std::string_view text);
/// The inverse; a character that represents no byte is kept.
std::string characters_as_bytes(std::string_view text);
/// Returns the pattern of GPT-2's words: contractions, letters, numbers, others, each with a
/// preceding blank.
const Pattern& gpt2_words();

/// Returns the pre-tokenizer "ByteLevel": bytes as characters, after a blank that is put before the
/// text (`space_before`), one piece for each of GPT-2's words (`by_words`) or for the whole.
Splitter byte_level(bool space_before, bool by_words);

enum class Matches { kIsolated, kRemoved };
/// Returns a splitter. kIsolated: each match is a piece of its own; kRemoved: matches are removed.
Splitter split_at(Pattern pattern, Matches matches);
/// Separate each digit, or runs of digits.
std::vector<std::string> digits_apart(const std::string& text);
std::vector<std::string> runs_of_digits_apart(const std::string& text);

/// Begins a piece at each `mark`, which stays at its beginning.
std::vector<std::string> cut_before(const std::string& text, const std::string& mark);

/// Replaces tokens such as <0xE2><0x96><0x81> by the text that their bytes encode; U+FFFD for each
/// byte that encodes none.
std::vector<std::string> bytes_joined(std::vector<std::string> tokens);
/// Joins pieces that begin with `prefix` ("##") and restores the blanks between words, as for BERT.
Decoder word_piece_decoder(std::string prefix, bool cleanup);

}  // namespace sotto::text

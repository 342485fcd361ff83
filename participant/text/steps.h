// The steps of a tokenizer around its model, each under the name that the tokenizers library gives
// it. A step is a value without state; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "participant/text/unicode.h"

namespace sotto::text {

/// A text to a text.
using Normalizer = std::function<std::string(std::string)>;
/// A piece to the pieces that the model sees one by one.
using Splitter = std::function<std::vector<std::string>(const std::string&)>;
/// Tokens to the strings whose concatenation is the text.
using Decoder = std::function<std::vector<std::string>(std::vector<std::string>)>;

struct BertCleaning {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

Normalizer bert_normalizer(const BertCleaning& cleaning);

/// At white space, which goes, and around punctuation, which stays.
std::vector<std::string> bert_words(const std::string& text);

/// A printable character for each of the 256 bytes, as GPT-2 has it: what is printable in Latin-1
/// stands for itself.
std::string bytes_as_characters(std::string_view text);
/// Back; a character that stands for no byte is kept as it is.
std::string characters_as_bytes(std::string_view text);
/// The words of GPT-2: contractions, letters, numbers, others, each with a blank before it.
const Pattern& gpt2_words();

enum class Matches { kIsolated, kRemoved };
/// kIsolated: matches are pieces of their own; kRemoved: they go.
Splitter split_at(Pattern pattern, Matches matches);
/// Each digit alone, or runs of digits.
std::vector<std::string> digits_apart(const std::string& text);
std::vector<std::string> runs_of_digits_apart(const std::string& text);

/// A piece at each `mark`, which stays at its beginning.
std::vector<std::string> cut_before(const std::string& text, const std::string& mark);

/// <0xE2><0x96><0x81> and the like to what their bytes spell; U+FFFD for each that spells nothing.
std::vector<std::string> bytes_joined(std::vector<std::string> tokens);
/// "##" and the blanks between words, as BERT's texts are put together again.
Decoder word_piece_decoder(std::string prefix, bool cleanup);

}  // namespace sotto::text

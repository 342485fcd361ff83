// Tokenizer converts text to the ids of a model and back. It consists of its model (word pieces or
// byte pairs) and the steps around it, all as specified in the model's folder. Immutable; any
// thread may use it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.h"
#include "participant/text/byte_pair.h"
#include "participant/text/steps.h"
#include "participant/text/word_piece.h"

namespace sotto::text {

/// AddedToken is a token that is recognised as a whole: before any other step, as </s> is, or after
/// the normalizers.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;                            // omitted when ids are decoded
  bool strips_left = false, strips_right = false;  // includes the adjacent white space
  /// Looked for in the normalized text, with its own content normalized: a word that was added to
  /// a tokenizer that lower-cases is found in any case.
  bool normalized = false;
};

struct TokenizerParts {
  std::variant<WordPieces, BytePairs> model;
  std::vector<AddedToken> added;
  std::vector<Normalizer> normalizers;
  std::vector<Splitter> splitters;
  std::vector<Decoder> decoders;
  std::vector<std::int32_t> before, after;  // the frame of a text: [CLS] and [SEP], <s>
  std::optional<std::int32_t> pad;
};

/// TokenizedWords is the encoding of a text that is given as words.
struct TokenizedWords {
  std::vector<std::int32_t> ids;  // with the frame
  /// For each word the index of its first piece in `ids`; nothing where the word was cut off or has
  /// no piece.
  std::vector<std::optional<std::size_t>> first_piece;
};

class Tokenizer {
 public:
  explicit Tokenizer(TokenizerParts parts);

  /// Returns the ids without the frame. Malformed UTF-8 counts as U+FFFD.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const;
  /// Returns the ids with the frame, cut to at most max_length ids; max_length must be large enough
  /// for the frame.
  [[nodiscard]] std::vector<std::int32_t> encode_framed(std::string_view text,
                                                        std::size_t max_length) const;
  /// Encodes each word as in a running text with a blank before it; cut as in encode_framed().
  [[nodiscard]] TokenizedWords encode_words(std::span<const std::string_view> words,
                                            std::size_t max_length) const;
  /// Returns the text without special tokens. The output of a model may end inside a character:
  /// such bytes become U+FFFD.
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const;

  /// Returns one more than the greatest id.
  [[nodiscard]] std::int32_t size() const;

  /// Returns the token that pads short rows: the vocabulary's padding token, else any token.
  [[nodiscard]] std::int32_t pad() const { return parts_.pad.value_or(0); }

  /// Return the two parts of the frame of a text.
  [[nodiscard]] const std::vector<std::int32_t>& before() const { return parts_.before; }

  [[nodiscard]] const std::vector<std::int32_t>& after() const { return parts_.after; }

  /// Returns the number of ids in a frame.
  [[nodiscard]] std::size_t frame() const { return parts_.before.size() + parts_.after.size(); }

  [[nodiscard]] std::optional<std::int32_t> find(std::string_view token) const;
  /// Returns the token as the vocabulary spells it; empty for an id that is no token.
  [[nodiscard]] std::string_view token(std::int32_t id) const;

  /// Returns the text after the normalizers.
  [[nodiscard]] std::string normalized(std::string text) const;

 private:
  void encode_plain(std::string_view text, std::vector<std::int32_t>& ids) const;
  void encode_normalized(std::string_view text, std::vector<std::int32_t>& ids) const;
  [[nodiscard]] const Vocabulary& vocabulary() const;

  TokenizerParts parts_;
  std::vector<AddedToken> raw_tokens_, normalized_tokens_;  // of parts_.added, as they are found
};

/// Loads the tokenizer of a model's folder: tokenizer.json, else vocab.json and merges.txt (GPT-2),
/// else vocab.txt (BERT). With the last two, the settings in tokenizer_config.json,
/// special_tokens_map.json and added_tokens.json that change ids are followed, or refused by their
/// key; with tokenizer.json they must not contradict it. An Error names the file, and the key or
/// line.
Result<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

/// Parses a tokenizer.json in the format of the tokenizers library. Unknown kinds of steps are
/// refused by name. `what` names the file in errors.
Result<Tokenizer> parse_tokenizer_json(std::string_view json, const std::string& what);

/// Makes BERT's tokenizer from its word pieces. Returns an Error when [UNK], [CLS], [SEP] or [PAD]
/// is missing.
Result<Tokenizer> bert_tokenizer(Vocabulary vocabulary, const BertCleaning& cleaning);

}  // namespace sotto::text

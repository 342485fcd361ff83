// Text to the ids of a model and back. A tokenizer is its model (word pieces or byte pairs) and the
// steps around it, all as the model's folder says. Immutable; any thread.
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

/// A token that is recognised in a text before anything else is done to it, such as </s>.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;                            // left out when ids become text
  bool strips_left = false, strips_right = false;  // takes the white space beside it along
};

struct TokenizerParts {
  std::variant<WordPieces, BytePairs> model;
  std::vector<AddedToken> added;
  std::vector<Normalizer> normalizers;
  std::vector<Splitter> splitters;
  std::vector<Decoder> decoders;
  std::vector<std::int32_t> before, after;  // what frames a text: [CLS] and [SEP], <s>
  std::optional<std::int32_t> pad;
};

/// A text that came as words.
struct TokenizedWords {
  std::vector<std::int32_t> ids;  // in their frame
  /// Of each word the place of its first piece in `ids`; nothing where the word was cut off or has
  /// no piece.
  std::vector<std::optional<std::size_t>> first_piece;
};

class Tokenizer {
 public:
  explicit Tokenizer(TokenizerParts parts);

  /// Ids without the frame. Malformed UTF-8 counts as U+FFFD.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const;
  /// In its frame, cut to at most max_length ids, which must hold the frame.
  [[nodiscard]] std::vector<std::int32_t> encode_framed(std::string_view text,
                                                        std::size_t max_length) const;
  /// Each word as in a running text with a blank before it; cut like encode_framed.
  [[nodiscard]] TokenizedWords encode_words(std::span<const std::string_view> words,
                                            std::size_t max_length) const;
  /// Special tokens left out. What a model says may end inside a character: such bytes are U+FFFD.
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const;

  /// One more than the greatest id.
  [[nodiscard]] std::int32_t size() const;

  /// What fills short rows up: the vocabulary's padding token, else any token.
  [[nodiscard]] std::int32_t pad() const { return parts_.pad.value_or(0); }

  /// What frames a text.
  [[nodiscard]] const std::vector<std::int32_t>& before() const { return parts_.before; }

  [[nodiscard]] const std::vector<std::int32_t>& after() const { return parts_.after; }

  /// Ids that a frame takes.
  [[nodiscard]] std::size_t frame() const { return parts_.before.size() + parts_.after.size(); }

  [[nodiscard]] std::optional<std::int32_t> find(std::string_view token) const;

 private:
  void encode_plain(std::string text, std::vector<std::int32_t>& ids) const;
  [[nodiscard]] const Vocabulary& vocabulary() const;

  TokenizerParts parts_;
};

/// From a model's folder: tokenizer.json, else vocab.json and merges.txt (GPT-2), else vocab.txt
/// (BERT, lower-casing unless tokenizer_config.json says do_lower_case false). An Error names the
/// file, and the key or line.
Result<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

/// A tokenizer.json, as the tokenizers library writes it. Unknown kinds of steps are refused by
/// name. `what` names the file in errors.
Result<Tokenizer> parse_tokenizer_json(std::string_view json, const std::string& what);

/// BERT's from its word pieces. An Error when [UNK], [CLS], [SEP] or [PAD] is missing.
Result<Tokenizer> bert_tokenizer(Vocabulary vocabulary, const BertCleaning& cleaning);

}  // namespace sotto::text

// WordPiece as BERT uses it: Unicode cleaning, accents stripped, lower case, greedy longest match.
// Values only; immutable after construction and so safe to share between threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"

namespace sotto::learning {

/// The word pieces of a model in id order, with the special pieces of BERT.
class Vocabulary {
 public:
  /// Errors: a piece twice, a special piece ([PAD], [UNK], [CLS], [SEP]) missing.
  static Result<Vocabulary> from_pieces(std::vector<std::string> pieces);
  /// vocab.txt: one piece a line, the line number (from 0) is the id.
  static Result<Vocabulary> load(const std::filesystem::path& file);

  [[nodiscard]] std::optional<std::int32_t> find(std::string_view piece) const;

  [[nodiscard]] const std::vector<std::string>& pieces() const { return pieces_; }

  [[nodiscard]] std::int32_t pad() const { return pad_; }

  [[nodiscard]] std::int32_t unknown() const { return unknown_; }

  [[nodiscard]] std::int32_t cls() const { return cls_; }

  [[nodiscard]] std::int32_t sep() const { return sep_; }

 private:
  struct Hash {
    using is_transparent = void;

    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::vector<std::string> pieces_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  std::int32_t pad_ = 0, unknown_ = 0, cls_ = 0, sep_ = 0;
};

/// The words of a text before they are cut into pieces: cleaned, accents stripped, lower case,
/// split at white space, around punctuation and around CJK characters. Bad UTF-8 is dropped.
std::vector<std::string> basic_words(std::string_view text);

class Tokenizer {
 public:
  explicit Tokenizer(Vocabulary vocabulary);

  /// Ids without special pieces.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const;
  /// [CLS] ids [SEP], cut to at most max_length >= 2 ids; the frame stays.
  [[nodiscard]] std::vector<std::int32_t> encode_framed(std::string_view text,
                                                        std::size_t max_length) const;

  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  void append_pieces(std::string_view word, std::vector<std::int32_t>& ids) const;

  Vocabulary vocabulary_;
};

/// A vocabulary of at most `size` pieces learned from public texts: byte-pair merges over words,
/// with BERT's special pieces first and "##" before pieces inside a word. The same texts and size
/// give the same pieces. Fails when `size` does not hold the special pieces.
Result<Vocabulary> build_vocabulary(std::span<const std::string> texts, std::size_t size);

}  // namespace sotto::learning

// What the files beside a vocabulary declare about a tokenizer: tokenizer_config.json,
// special_tokens_map.json and added_tokens.json, as Hugging Face's library writes them.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "participant/text/tokenizer.h"

namespace sotto::text {

/// The settings that change ids. A flag that no file sets is absent.
struct TokenizerSettings {
  std::string tokenizer_class;  // without the ending "Fast"; empty when there is none
  std::optional<bool> do_lower_case, strip_accents, tokenize_chinese_chars, clean_text;
  std::optional<bool> add_prefix_space;
  std::optional<std::string> wordpieces_prefix;
  std::map<std::string, AddedToken> special{};  // "unk_token" -> [UNK]; the ids are not set
  std::vector<AddedToken> added{};              // with their ids
  std::vector<std::string> more_special{};      // named without an id

  /// Returns the special token of this role ("cls_token"), or one with this content when the files
  /// name none.
  [[nodiscard]] AddedToken special_token(const std::string& role, const char* otherwise) const;
};

/// Reads the settings of a folder; all are absent when the files are. Settings that do not change
/// ids are ignored. Errors, which name file and key: a value of another type, a setting that is not
/// supported, two files that disagree.
Result<TokenizerSettings> read_tokenizer_settings(const std::filesystem::path& folder);

/// Reads a whole text file of a model folder. The Error names the file: it cannot be read, it is a
/// stand-in such as a Git LFS pointer (common/base/stand_in.h), or, if it must not, it begins
/// with a byte order mark.
enum class ByteOrderMark { kAllowed, kRefused };
Result<std::string> read_model_text(const std::filesystem::path& file, ByteOrderMark mark);

}  // namespace sotto::text

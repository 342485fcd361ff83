// Vocabulary holds the tokens of a model in the order of their ids. Immutable; any thread may use
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace sotto::text {

class Vocabulary {
 public:
  Vocabulary() = default;
  /// The id of a token is its index. An Error names a token that occurs twice.
  static Result<Vocabulary> from_tokens(std::vector<std::string> tokens);
  /// The ids are given and below 2^24. An Error names a token with two ids or with the
  /// id of another token.
  static Result<Vocabulary> from_ids(const std::vector<std::pair<std::string, std::int64_t>>& ids);
  /// Reads the text of a vocab.txt: one token in each line; the line number (from 0) is the id.
  static Result<Vocabulary> from_lines(const std::string& text);

  [[nodiscard]] std::optional<std::int32_t> find(std::string_view token) const;
  /// Returns the token, or an empty text for an id that is no token.
  [[nodiscard]] std::string_view token(std::int32_t id) const;

  [[nodiscard]] const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  struct Hash {
    using is_transparent = void;

    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::vector<std::string> tokens_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
};

}  // namespace sotto::text

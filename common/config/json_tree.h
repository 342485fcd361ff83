// Json is a JSON document as plain values; only common/config uses it. Reading is stricter than in
// JSON libraries: a repeated key is an error, and so is a number that does not fit its type.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sotto::config {

struct JsonMember;

struct Json {
  using Array = std::vector<Json>;
  using Object = std::vector<JsonMember>;  // in the order of the text, keys distinct

  /// Null at first. It has no initializer because Clang would then need a complete JsonMember here.
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      value;

  [[nodiscard]] const Object* object() const { return std::get_if<Object>(&value); }

  /// Returns the member of an object; null when this is not an object or has no such key.
  [[nodiscard]] const Json* find(std::string_view key) const;
  /// Returns the member, which it adds when it is missing. This must be an object or null.
  Json& operator[](std::string_view key);
};

struct JsonMember {
  std::string key;
  Json value;
};

struct JsonError {
  std::string where;  // "$.path.to.key" or "line 3, column 7"
  std::string what;
};

struct JsonDocument {
  Json root;
  std::vector<JsonError> errors;  // of two equal keys, root has the first
};

/// Deeper nesting is an error: no configuration file needs it, and a peer may send such a text.
inline constexpr std::size_t kMaxJsonDepth = 16;

/// Parses `text`, which must be UTF-8. Skips `//` and `/* */` comments. Never throws.
JsonDocument read_json(std::string_view text);

/// Returns the text without white space, with keys sorted by their bytes and numbers in the
/// shortest form that reads back the same. Equal trees give equal bytes on every machine.
std::string canonical_text(const Json& json);
/// Returns the text for people: keys in their order, two spaces per level, a final newline.
std::string pretty_text(const Json& json);

}  // namespace sotto::config

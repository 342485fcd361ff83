// A JSON document as plain values, for the files of common/config alone. Reading is strict where
// JSON libraries are lenient: a repeated key is an error, numbers that do not fit are errors.
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

  /// null at first. No initializer says so: Clang would then need a whole JsonMember here.
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      value;

  [[nodiscard]] const Object* object() const { return std::get_if<Object>(&value); }

  /// The member of an object; null when this is no object or has no such key.
  [[nodiscard]] const Json* find(std::string_view key) const;
  /// The member, made when it is missing. This must be an object or null.
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
  std::vector<JsonError> errors;  // of two equal keys the first stands in root
};

/// Nesting deeper than this is an error: no file of ours needs it, and a peer may send one.
inline constexpr std::size_t kMaxJsonDepth = 16;

/// Never throws. `//` and `/* */` comments are skipped. Text must be UTF-8.
JsonDocument read_json(std::string_view text);

/// Without white space, keys sorted by their bytes, numbers in the shortest form that reads back
/// the same: equal trees give equal bytes on every machine.
std::string canonical_text(const Json& json);
/// For people: keys in their order, two spaces a level, a final newline.
std::string pretty_text(const Json& json);

}  // namespace sotto::config

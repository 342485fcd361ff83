// Conversion between JSON and the tables of fields. Reading collects all mistakes of a file.
#pragma once

#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/fields.h"
#include "common/config/json_tree.h"

namespace sotto::config {

/// Mistakes collects the mistakes of one file.
class Mistakes {
 public:
  explicit Mistakes(std::string_view file) : file_(file) {}

  /// `path` is without "$."; it is empty for the whole file.
  void add(std::string_view path, std::string_view what);
  void add(const JsonError& error);
  /// For rules between fields: adds the mistake only if the compared fields were read without one.
  void add_unless_bad(std::initializer_list<std::string_view> compared, std::string_view path,
                      std::string_view what);

  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  /// Returns whether the field, a section that contains it or the whole file has a mistake.
  [[nodiscard]] bool is_bad(std::string_view path) const;

  std::string file_;
  std::vector<std::string> lines_;
  std::set<std::string, std::less<>> bad_;
};

/// Reads every field from `root` into its slot. Unknown keys, missing keys and values that are not
/// allowed become mistakes and leave the slot unchanged. `prefix` is put before the paths in the
/// messages, for members of lists ("roster.members[2].").
void read_fields(const Json& root, const std::vector<Field>& fields, std::string_view prefix,
                 Mistakes& mistakes);

/// Writes "path=value" overrides into the tree. A value is JSON, or plain text for a text field.
void apply_overrides(Json& root, std::span<const std::string> overrides,
                     const std::vector<Field>& fields, Mistakes& mistakes);

/// Returns the end of a sentence about an unknown key: ", did you mean X?" or the list of keys that
/// exist.
std::string nearest_key(std::string_view path, const std::vector<Field>& fields);

}  // namespace sotto::config

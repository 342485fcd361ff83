// Between JSON and the table of fields: values in with all mistakes noted, values out.
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

/// Collects the mistakes of one file.
class Mistakes {
 public:
  explicit Mistakes(std::string_view file) : file_(file) {}

  /// `path` without "$.", or empty for the whole file.
  void add(std::string_view path, std::string_view what);
  void add(const JsonError& error);
  /// For rules between fields: noted only where the fields they compare were read without mistake.
  void add_unless_bad(std::initializer_list<std::string_view> compared, std::string_view path,
                      std::string_view what);

  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  /// The field itself, a section around it or the whole file.
  [[nodiscard]] bool is_bad(std::string_view path) const;

  std::string file_;
  std::vector<std::string> lines_;
  std::set<std::string, std::less<>> bad_;
};

/// Reads every field from `root` into its slot. Unknown, missing and unfit values become mistakes
/// and leave the slot as it was. `prefix` stands before the paths in what is said, for members of
/// lists ("roster.members[2].").
void read_fields(const Json& root, const std::vector<Field>& fields, std::string_view prefix,
                 Mistakes& mistakes);

/// Writes "path=value" overrides into the tree. The value is JSON, or plain text for a text field.
void apply_overrides(Json& root, std::span<const std::string> overrides,
                     const std::vector<Field>& fields, Mistakes& mistakes);

/// ", did you mean X?" or the list of what exists: the end of a sentence about an unknown key.
std::string nearest_key(std::string_view path, const std::vector<Field>& fields);

}  // namespace sotto::config

// NameFinder finds names of people by a dictionary and by the words around them. The result is not
// certain: a dictionary is incomplete, and a word that is also an everyday word counts as a name
// only where its neighbours support it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "participant/deidentify/redaction/finding.h"

namespace sotto::redaction {

/// Immutable; any thread may use it.
class NameFinder {
 public:
  /// Parses a dictionary. Its lines are "given NAME", "family NAME", "title NAME" (such as "Dr")
  /// and "other WORD" (never part of a name). A "?" after the first word marks a NAME that is also
  /// an everyday word: it counts only next to another name, after a title, or after a phrase or a
  /// label that announces a name. "#" begins a comment. An Error names the line.
  static Result<NameFinder> parse(std::string_view text, const std::string& file_name);
  static Result<NameFinder> read(const std::filesystem::path& file);

  /// Returns the names in `line`, which is UTF-8. Titles are not part of a finding.
  [[nodiscard]] Findings find(std::string_view line) const;

 private:
  struct Dictionary;
  class Reading;

  explicit NameFinder(std::shared_ptr<const Dictionary> dictionary)
      : dictionary_(std::move(dictionary)) {}

  std::shared_ptr<const Dictionary> dictionary_;
};

}  // namespace sotto::redaction

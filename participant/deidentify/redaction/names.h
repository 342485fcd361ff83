// Names of people: by a dictionary, and by what stands around them. There is no certainty here: a
// dictionary knows the names it has, and a word that is also a name needs company to be taken for
// one.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "participant/deidentify/redaction/finding.h"

namespace sotto::masking {

/// Immutable; any thread.
class NameFinder {
 public:
  /// Lines of "given NAME", "family NAME", "title NAME" (as in "Dr") and "other WORD" (never part
  /// of a name), with "?" behind the first word where NAME is also an everyday word: then it counts
  /// only beside another name. "#" begins a comment. An Error names the line.
  static Result<NameFinder> parse(std::string_view text, const std::string& file_name);
  static Result<NameFinder> read(const std::filesystem::path& file);

  /// In `line`, which is UTF-8. Titles are not part of what is found.
  [[nodiscard]] Findings find(std::string_view line) const;

 private:
  struct Dictionary;
  class Reading;

  explicit NameFinder(std::shared_ptr<const Dictionary> dictionary)
      : dictionary_(std::move(dictionary)) {}

  std::shared_ptr<const Dictionary> dictionary_;
};

}  // namespace sotto::masking

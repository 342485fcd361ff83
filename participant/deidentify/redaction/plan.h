// The redaction plan of a site: mask.json says how each kind of personal data in texts is treated.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/parse.h"
#include "common/config/words.h"
#include "participant/deidentify/redaction/finding.h"

namespace sotto {

namespace redaction {

enum class Action : std::uint8_t {
  kKeep,
  kRemove,
  kPlaceholder,  // [EMAIL]
  kPseudonym,    // [EMAIL-9a3f...]: equal values have equal pseudonyms under one site's key
  kGeneralise    // a less precise value: a year, a network, a country
};

}  // namespace redaction

template <>
struct config::Words<redaction::Action> {
  static constexpr std::array<std::string_view, 5> all{"keep", "remove", "placeholder", "pseudonym",
                                                       "generalise"};
};

}  // namespace sotto

namespace sotto::redaction {

/// PatternPlan describes an identifier of the site's own by a regular expression in RE2 syntax of
/// at most kMaxPatternBytes bytes. It is matched where a word begins; the longest match that ends
/// at the end of a word counts.
struct PatternPlan {
  std::string name;  // capital letters, digits, '_'; used in placeholders
  std::string regex;
  Action action = Action::kPlaceholder;
};

inline constexpr std::size_t kMaxPatternBytes = 256;

/// NamesModelPlan names an NER model (a token classification model that looks for names too) and
/// those of its labels that are names.
struct NamesModelPlan {
  std::filesystem::path path;  // its folder
  std::vector<std::string> labels;
};

struct RedactionPlan {
  /// The action for each Kind; the entry of kPattern is not used. Default: placeholder.
  std::array<Action, 12> actions{};
  std::filesystem::path names;  // dictionary; empty: the dictionary's names are not looked for
  std::optional<NamesModelPlan> names_model;
  std::vector<PatternPlan> patterns;

  RedactionPlan() { actions.fill(Action::kPlaceholder); }

  [[nodiscard]] Action action(FindingKind kind) const {
    return actions[static_cast<std::size_t>(kind)];
  }

  [[nodiscard]] bool needs_key() const;
};

/// Returns whether the kind has a generalisation: dates, networks, domains, countries.
[[nodiscard]] bool can_generalise(FindingKind kind);

/// Parses a plan and reports all mistakes at once, among them patterns that are not RE2
/// expressions.
config::Parsed<RedactionPlan> parse_mask_plan(std::string_view json, std::string_view file_name);
/// Reads the same from a file; the paths of dictionary and model are relative to it. Throws
/// StartupError.
RedactionPlan load_mask_plan(const std::filesystem::path& file);

}  // namespace sotto::redaction

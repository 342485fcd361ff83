// What a site does with the personal data in its texts: mask.json.
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

namespace masking {

enum class Action : std::uint8_t {
  kKeep,
  kRemove,
  kPlaceholder,  // [EMAIL]
  kPseudonym,    // [EMAIL-9a3f...], the same for the same value under one site's key
  kGeneralise    // what is left of it says less: a year, a network, a country
};

}  // namespace masking

template <>
struct config::Words<masking::Action> {
  static constexpr std::array<std::string_view, 5> all{"keep", "remove", "placeholder", "pseudonym",
                                                       "generalise"};
};

}  // namespace sotto

namespace sotto::masking {

/// An identifier of the site's own: RE2 syntax, matched where a word begins, at most
/// kMaxPatternBytes long, the longest match that ends where a word does.
struct PatternPlan {
  std::string name;  // capital letters, digits, '_': stands in placeholders
  std::string regex;
  Action action = Action::kPlaceholder;
};

inline constexpr std::size_t kMaxPatternBytes = 256;

/// A model of token classification that looks for names too, and which of its labels are names.
struct NamesModelPlan {
  std::filesystem::path path;  // its folder
  std::vector<std::string> labels;
};

struct MaskPlan {
  /// By Kind; kPattern's is not used. A placeholder unless the plan says otherwise.
  std::array<Action, 12> actions{};
  std::filesystem::path names;  // dictionary; empty = names are not looked for
  std::optional<NamesModelPlan> names_model;
  std::vector<PatternPlan> patterns;

  MaskPlan() { actions.fill(Action::kPlaceholder); }

  [[nodiscard]] Action action(Kind kind) const { return actions[static_cast<std::size_t>(kind)]; }

  [[nodiscard]] bool needs_key() const;
};

/// Whether there is something between the value and nothing: dates, networks, domains, countries.
[[nodiscard]] bool can_generalise(Kind kind);

/// All mistakes at once. A pattern that is no RE2 expression is one.
config::Parsed<MaskPlan> parse_mask_plan(std::string_view json, std::string_view file_name);
/// The same from a file; the paths of dictionary and model begin there. Throws StartupError.
MaskPlan load_mask_plan(const std::filesystem::path& file);

}  // namespace sotto::masking

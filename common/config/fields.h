// The tables of fields list every key of job.json, site.json, federation.json, of cards and of
// revocations: path, type, default, allowed values, one sentence. Reading, nearest-key hints,
// --set, canonical bytes, JSON Schema and the reference in docs/ are all generated from them. A
// default is the value of a default-constructed struct and is written only in that struct's header.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/range.h"
#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/config/json_tree.h"
#include "common/config/site.h"
#include "common/config/words.h"

namespace sotto::config {

/// A pointer to a field's value; its type is the field's type.
using Slot = std::variant<bool*, std::uint8_t*, std::uint32_t*, std::uint64_t*, double*, MemberId*,
                          std::string*, std::filesystem::path*, std::vector<std::string>*,
                          std::vector<std::uint32_t>*, Bytes32*, Bytes64*,
                          std::vector<RosterMember>*, std::vector<Card>*, ChoiceSlot>;

enum class Presence { kRequired, kOptional };
/// This says whether the field is part of the canonical bytes that all parties hold: always, only
/// with another value than the default, so that jobs from before the key existed keep their hash,
/// or never.
enum class Scope { kShared, kSharedUnlessDefault, kLocal };
enum class TextRule { kFree, kName, kEndpoint };

struct Limits {
  Range range{};  // numbers and the numbers in lists
  TextRule text = TextRule::kFree;
  std::vector<std::string_view> allowed{};   // texts and items of lists; empty = any
  std::size_t min_items = 0, max_items = 0;  // lists
};

struct Field {
  std::string_view path;  // "rounds.num_server_rounds"
  Slot slot;
  Presence presence = Presence::kOptional;
  Limits limits{};
  std::string_view help;
  Scope scope = Scope::kShared;
};

/// These functions return a table that is bound to an object, which must outlive the table.
std::vector<Field> fields_of(JobConfig& job);
/// Returns the fields of the job without the keys under "task." that its task does not use, and
/// without those about persons where it protects examples.
std::vector<Field> used_fields_of(JobConfig& job);
/// Returns the fields of the job that are part of its canonical bytes.
std::vector<Field> canonical_fields_of(JobConfig& job);
std::vector<Field> fields_of(SiteConfig& site);
std::vector<Field> fields_of(FederationConfig& federation);
std::vector<Field> fields_of(RosterMember& member);
std::vector<Field> fields_of(Card& card);
std::vector<Field> fields_of(Revocation& revocation);

inline constexpr std::size_t kMaxTextLength = 4096;
inline constexpr std::size_t kMaxNameLength = 64;
inline constexpr std::size_t kMaxRevokedKeys = 100000;
inline constexpr std::size_t kMaxSuccessions = 5000;

/// Returns the allowed values as the end of a sentence: "an integer from 1 to 1000", "one of
/// \"adam\", \"sgd\"".
std::string describe(const Field& field);
/// Returns the value that the slot holds now, as JSON.
Json value_of(const Field& field);
/// Returns the fields as a JSON object with nested sections. Local fields are included only when
/// `scope` is kLocal.
Json tree_of(const std::vector<Field>& fields, Scope scope);

/// Returns whether `text` consists of letters, digits, '.', '_' and '-' and starts with a letter or
/// digit. Such a name is safe as the name of a file.
[[nodiscard]] bool is_name(std::string_view text);
/// Returns whether `text` has the form "tcp://HOST:PORT".
[[nodiscard]] bool is_endpoint(std::string_view text);

}  // namespace sotto::config

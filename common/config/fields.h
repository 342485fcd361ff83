// The one table of every key of job.json, site.json, federation.json, of cards and of revocations:
// path, type, default, what is allowed, one sentence. Reading, nearest-key hints, --set, canonical
// bytes, JSON Schema and the reference in docs/ are all made from it. A default is the value of a
// default-constructed struct, said once, in its header.
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

/// Where a field's value lives; its type is the field's type.
using Slot = std::variant<bool*, std::uint8_t*, std::uint32_t*, std::uint64_t*, double*, MemberId*,
                          std::string*, std::filesystem::path*, std::vector<std::string>*,
                          std::vector<std::uint32_t>*, Bytes32*, Bytes64*,
                          std::vector<RosterMember>*, std::vector<Card>*, ChoiceSlot>;

enum class Presence { kRequired, kOptional };
/// Whether the field is part of the canonical bytes that all parties hold.
enum class Scope { kShared, kLocal };
enum class TextRule { kFree, kName, kEndpoint };

struct Limits {
  Range range{};  // numbers and those in lists
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

/// The tables, bound to an object that must outlive them.
std::vector<Field> fields_of(JobConfig& job);
/// The fields of the job that its task uses: keys under "task." may belong to other tasks.
std::vector<Field> used_fields_of(JobConfig& job);
std::vector<Field> fields_of(SiteConfig& site);
std::vector<Field> fields_of(FederationConfig& federation);
std::vector<Field> fields_of(RosterMember& member);
std::vector<Field> fields_of(Card& card);
std::vector<Field> fields_of(Revocation& revocation);

inline constexpr std::size_t kMaxTextLength = 4096;
inline constexpr std::size_t kMaxNameLength = 64;
inline constexpr std::size_t kMaxRevokedKeys = 100000;
inline constexpr std::size_t kMaxSuccessions = 5000;

/// "an integer from 1 to 1000", "one of \"adam\", \"sgd\"": ends a sentence about what is allowed.
std::string describe(const Field& field);
/// The value that the slot holds now, as JSON.
Json value_of(const Field& field);
/// The fields as a JSON object with the sections nested. Local ones only where `scope` says so.
Json tree_of(const std::vector<Field>& fields, Scope scope);

/// Starts with a letter or digit; letters, digits, '.', '_', '-'. Safe as the name of a file.
[[nodiscard]] bool is_name(std::string_view text);
/// "tcp://HOST:PORT".
[[nodiscard]] bool is_endpoint(std::string_view text);

}  // namespace sotto::config

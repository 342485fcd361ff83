#include "participant/identity/pin.h"

#include <algorithm>

#include "common/base/result.h"
#include "common/config/field_values.h"
#include "common/config/parse.h"
#include "common/storage/atomic_file.h"

namespace sotto::participant {

namespace {

namespace fs = std::filesystem;
using config::Field;
using config::Presence;
using config::RosterMember;

constexpr std::size_t kMaxKnownMembers = 100000;  // present and former members

std::vector<Field> fields_of(Pin& pin) {
  constexpr Presence kRequired = Presence::kRequired;
  constexpr Presence kOptional = Presence::kOptional;
  const config::Limits any_u32{.range = {.min = 0, .max = 4294967295.0}};
  const config::Limits any_u64{.range = {.min = 0, .max = 9007199254740991.0}};
  const config::Limits members{.max_items = kMaxKnownMembers};
  const config::Limits keys{.max_items = config::kMaxRevokedKeys};
  return {
      {"federation", &pin.federation, kRequired, {}, ""},
      {"endpoint", &pin.endpoint, kRequired, {}, ""},
      {"coordinator_signing_key", &pin.coordinator_signing_key, kRequired, {}, ""},
      {"coordinator_transport_key", &pin.coordinator_transport_key, kRequired, {}, ""},
      {"roster_version", &pin.roster_version, kRequired, any_u32, ""},
      {"roster_hash", &pin.roster_hash, kRequired, {}, ""},
      {"member_id", &pin.member_id, kRequired, any_u32, ""},
      {"roster_expiry_unix_s", &pin.roster_expiry_unix_s, kOptional, any_u64, ""},
      {"members", &pin.members, kOptional, members, ""},
      {"former", &pin.former, kOptional, members, ""},
      {"revoked_keys", &pin.revoked_keys, kOptional, keys, ""},
  };
}

fs::path pin_file(const fs::path& folder) {
  return folder / "pinned.json";
}

bool has_name(const std::vector<RosterMember>& members, const std::string& name) {
  return std::ranges::find(members, name, &RosterMember::name) != members.end();
}

void take_members_from_copy(const fs::path& folder, Pin& pin) {
  const config::FederationConfig copy = config::load_federation(federation_file(folder));
  if (copy.roster.hash() != pin.roster_hash)
    throw StartupError(federation_file(folder).string() +
                       " is not the federation.json that this site has pinned, and " +
                       pin_file(folder).string() +
                       " comes from an earlier version of Sotto that recorded no members. Put the "
                       "federation.json of version " +
                       std::to_string(pin.roster_version) + " there and join again");
  pin.roster_expiry_unix_s = copy.roster.expiry_unix_s;
  pin.members = copy.roster.members;
  pin.revoked_keys = copy.revoked_keys;
}

}  // namespace

fs::path federation_file(const fs::path& folder) {
  return folder / "federation.json";
}

Pin pin_of(const config::FederationConfig& federation, MemberId self,
           const std::optional<Pin>& old) {
  const config::Roster& roster = federation.roster;
  Pin pin{.federation = federation.name,
          .endpoint = federation.endpoint,
          .coordinator_signing_key = roster.coordinator_signing_key,
          .coordinator_transport_key = roster.coordinator_transport_key,
          .roster_version = roster.version,
          .roster_hash = roster.hash(),
          .member_id = self,
          .roster_expiry_unix_s = roster.expiry_unix_s,
          .members = roster.members,
          .revoked_keys = federation.revoked_keys};
  if (!old) return pin;
  for (const auto* earlier : {&old->members, &old->former})
    for (const RosterMember& member : *earlier)
      if (!has_name(pin.members, member.name)) pin.former.push_back(member);
  return pin;
}

bool is_same_federation(const Pin& a, const Pin& b) {
  return a.federation == b.federation && a.endpoint == b.endpoint &&
         a.coordinator_signing_key == b.coordinator_signing_key &&
         a.coordinator_transport_key == b.coordinator_transport_key &&
         a.roster_version == b.roster_version && a.roster_hash == b.roster_hash &&
         a.member_id == b.member_id;
}

std::optional<Pin> load_pin(const fs::path& folder) {
  const fs::path file = pin_file(folder);
  if (!fs::exists(fs::symlink_status(file))) return std::nullopt;
  constexpr std::uint64_t kMaxBytes = 64 << 20;  // about 300 bytes for a member, 70 for a revoked
                                                 // key
  const Bytes bytes = storage::read_file(file, kMaxBytes).or_stop();
  const config::JsonDocument document = config::read_json(std::string(bytes.begin(), bytes.end()));
  config::Mistakes mistakes(file.string());
  for (const config::JsonError& error : document.errors)
    mistakes.add(error);
  Pin pin;
  if (mistakes.lines().empty()) config::read_fields(document.root, fields_of(pin), {}, mistakes);
  if (!mistakes.lines().empty())
    throw StartupError(config::ConfigErrors{mistakes.lines()}.joined());
  if (pin.members.empty()) take_members_from_copy(folder, pin);
  return pin;
}

void write_pin(const fs::path& folder, Pin pin) {
  const std::string text =
      config::pretty_text(config::tree_of(fields_of(pin), config::Scope::kLocal));
  storage::write_text(pin_file(folder), text).or_stop();
}

}  // namespace sotto::participant

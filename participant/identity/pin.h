// pinned.json: what a site holds on to of its federation from one start and one join to the next.
// Start-up code: throws StartupError.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/config/federation.h"

namespace sotto::participant {

struct Pin {
  std::string federation;
  std::string endpoint;
  Bytes32 coordinator_signing_key{};
  Bytes32 coordinator_transport_key{};
  std::uint32_t roster_version = 0;
  Bytes32 roster_hash{};
  MemberId member_id{};  // this site's own
  std::uint64_t roster_expiry_unix_s = 0;
  std::vector<config::RosterMember> members;  // of the roster
  /// Members of earlier rosters whose names are in no longer, as this site knew them last.
  std::vector<config::RosterMember> former;
  std::vector<std::string> revoked_keys;  // in hexadecimal
};

/// The pin of `federation`, in which this site is `self`. What `old` knows of names that are in no
/// longer stays.
Pin pin_of(const config::FederationConfig& federation, MemberId self,
           const std::optional<Pin>& old);

/// True when both are of the same roster of the same coordinator at the same place.
[[nodiscard]] bool is_same_federation(const Pin& a, const Pin& b);

/// FOLDER/pinned.json; nothing when this site has not joined yet. A damaged pin is an error, never
/// "none": it would let any coordinator in. Where an earlier version of Sotto pinned no members,
/// they come from the copy of the federation beside it, which the pinned hash covers.
std::optional<Pin> load_pin(const std::filesystem::path& folder);
void write_pin(const std::filesystem::path& folder, Pin pin);

/// The copy of the federation that is pinned.
std::filesystem::path federation_file(const std::filesystem::path& folder);

}  // namespace sotto::participant

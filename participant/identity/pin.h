// The pin (pinned.json) is what a site remembers of its federation between starts and joins.
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
  std::vector<config::RosterMember> members;  // the members of the roster
  /// Members of earlier rosters whose names are no longer in the roster, as this site last knew
  /// them.
  std::vector<config::RosterMember> former;
  std::vector<std::string> revoked_keys;  // in hexadecimal
};

/// Returns the pin of `federation`, in which this site is `self`. Members of `old` whose names are
/// no longer in the roster are kept.
Pin pin_of(const config::FederationConfig& federation, MemberId self,
           const std::optional<Pin>& old);

/// True if both have the same roster, coordinator and endpoint.
[[nodiscard]] bool is_same_federation(const Pin& a, const Pin& b);

/// Loads FOLDER/pinned.json; no value if this site has not joined yet. A damaged pin is an error
/// and never "no value", because that would accept any coordinator. If an earlier version of Sotto
/// pinned no members, they come from the copy of the federation beside the pin, which the pinned
/// hash covers.
std::optional<Pin> load_pin(const std::filesystem::path& folder);
void write_pin(const std::filesystem::path& folder, Pin pin);

/// The file with the copy of the pinned federation.
std::filesystem::path federation_file(const std::filesystem::path& folder);

}  // namespace sotto::participant

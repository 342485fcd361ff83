// Changes of the signed roster and of the list of revoked keys, at the operator's side. Start-up
// code: throws StartupError with every reason, one per line. `identity` is that of the coordinator
// whose federation.json is in FOLDER.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "common/config/federation.h"
#include "common/identity/identity.h"

namespace sotto::coordinator {

struct FederationAddress {
  std::string name;      // of the federation and of the coordinator's identity
  std::string endpoint;  // "tcp://HOST:PORT" that participants connect to
  std::string listen{};  // the address that the coordinator binds; empty: the endpoint
};

/// Throws StartupError when `address` is not valid.
void check_address(const FederationAddress& address);

/// Creates FOLDER/federation.json with an empty roster, version 0.
config::FederationConfig init(const std::filesystem::path& folder, const config::Identity& identity,
                              const FederationAddress& address);

/// How long the next version of a roster is valid.
struct Validity {
  std::uint64_t now_unix_s = 0;
  std::uint64_t for_s = 0;
};

/// Adds the cards to the roster of FOLDER/federation.json under the next version. Members keep
/// their ids. A successor of an enrolled card takes its place and its id, the keys that it replaces
/// are revoked, and the card stays in the file for the sites. Refuses a name or key that is
/// enrolled already, occurs twice or was revoked; nothing is written then.
config::FederationConfig enroll(const std::filesystem::path& folder,
                                const config::Identity& identity,
                                std::span<const config::Card> cards, const Validity& validity);

/// Writes the same members under the next version, valid as `validity` says.
config::FederationConfig renew(const std::filesystem::path& folder,
                               const config::Identity& identity, const Validity& validity);

/// The treatment of a removed member's keys.
enum class Removal : std::uint8_t {
  kRemove,  // its card can be enrolled again
  kRevoke   // none of its keys can be enrolled again
};

/// Removes the members with these names from the roster under the next version. Their ids are never
/// given to others. Refuses a name that is not enrolled; nothing is written then.
config::FederationConfig remove(const std::filesystem::path& folder,
                                const config::Identity& identity,
                                std::span<const std::string> names, Removal removal,
                                const Validity& validity);

/// Revokes these keys for ever, and removes the members that have one of them. The signature of
/// every statement was checked when it was read.
config::FederationConfig revoke(const std::filesystem::path& folder,
                                const config::Identity& identity,
                                std::span<const config::Revocation> statements,
                                const Validity& validity);

}  // namespace sotto::coordinator

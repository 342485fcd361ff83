// Who is in, at the operator's side: the signed roster, and the keys that never come in again.
// Start-up code: throws StartupError with every reason, one a line. `identity` is that of the
// coordinator whose federation.json lies in FOLDER.
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
  std::string listen{};  // what the coordinator binds; empty = the endpoint
};

/// Refuses an address that is none.
void check_address(const FederationAddress& address);

/// Makes FOLDER/federation.json with an empty roster, version 0.
config::FederationConfig init(const std::filesystem::path& folder, const config::Identity& identity,
                              const FederationAddress& address);

/// How long the next version of a roster is good.
struct Validity {
  std::uint64_t now_unix_s = 0;
  std::uint64_t for_s = 0;
};

/// Adds the cards to the roster of FOLDER/federation.json under the next version. Members keep
/// their ids. A successor of an enrolled card takes its place, id and all, the keys that it
/// replaces are revoked, and the card stays in the file for the sites. Refuses a name or key that
/// is in already, comes twice or was revoked; nothing is written then.
config::FederationConfig enroll(const std::filesystem::path& folder,
                                const config::Identity& identity,
                                std::span<const config::Card> cards, const Validity& validity);

/// The same members under the next version, for as long as `validity` says.
config::FederationConfig renew(const std::filesystem::path& folder,
                               const config::Identity& identity, const Validity& validity);

/// What is done with the keys of a member that goes.
enum class Removal : std::uint8_t {
  kRemove,  // its card can be enrolled again
  kRevoke   // none of its keys ever
};

/// Takes the members of these names out of the roster, as enroll() puts them in. Their ids are
/// never given to others. Refuses a name that is not in; nothing is written then.
config::FederationConfig remove(const std::filesystem::path& folder,
                                const config::Identity& identity,
                                std::span<const std::string> names, Removal removal,
                                const Validity& validity);

/// Keeps these keys out for ever; where they are a member's, the member goes. Every statement was
/// checked by its own signature when it was read.
config::FederationConfig revoke(const std::filesystem::path& folder,
                                const config::Identity& identity,
                                std::span<const config::Revocation> statements,
                                const Validity& validity);

}  // namespace sotto::coordinator

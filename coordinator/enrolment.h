// Who is in, at the operator's side: the coordinator's own keys and the signed roster. Start-up
// code: throws StartupError with every reason, one a line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "common/config/federation.h"
#include "common/crypto/secure_random.h"

namespace sotto::coordinator {

struct FederationAddress {
  std::string name;      // of the federation and of the coordinator's identity
  std::string endpoint;  // "tcp://HOST:PORT" that participants connect to
  std::string listen{};  // what the coordinator binds; empty = the endpoint
};

/// Makes FOLDER/identity.json and FOLDER/federation.json with an empty roster, version 0.
config::FederationConfig init(const std::filesystem::path& folder, const FederationAddress& address,
                              crypto::SecureRandom& random);

/// Adds the cards to the roster of FOLDER/federation.json under the next version, good until
/// now + validity. Members keep their ids. No card: the roster is renewed. Refuses a name or key
/// that is in already or comes twice; nothing is written then.
config::FederationConfig enroll(const std::filesystem::path& folder,
                                std::span<const config::Card> cards, std::uint64_t now_unix_s,
                                std::uint64_t validity_s);

/// Takes the members of these names out of the roster, as enroll() puts them in. Their ids are
/// never given to others. Refuses a name that is not in; nothing is written then.
config::FederationConfig remove(const std::filesystem::path& folder,
                                std::span<const std::string> names, std::uint64_t now_unix_s,
                                std::uint64_t validity_s);

}  // namespace sotto::coordinator

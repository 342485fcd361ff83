// The long-term keys of a party, coordinator or participant alike: Ed25519 for signing, X25519 for
// CURVE. They are made on the party's own machine and never leave it; what leaves is the card.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/config/federation.h"
#include "common/crypto/secret.h"
#include "common/crypto/sign.h"

namespace sotto::config {

struct Identity {
  std::string name;
  crypto::SigningKey signing;
  crypto::Secret32 transport_secret;  // raw, as CURVE takes it
  Bytes32 transport_public{};
};

/// Fresh keys. `name` must be a name in the sense of fields.h (StartupError otherwise).
Identity make_identity(std::string_view name, crypto::SecureRandom& random);

/// Makes `folder` (mode 0700) where it is missing and writes FOLDER/identity.json (mode 0600).
/// StartupError when there is an identity already: keys are never overwritten.
void save_identity(const std::filesystem::path& folder, const Identity& identity);

/// StartupError, with the command that repairs it, when others may read the file or replace what is
/// in the folder.
Identity load_identity(const std::filesystem::path& folder);

/// The public half, signed by itself.
Card card_of(const Identity& identity);

}  // namespace sotto::config

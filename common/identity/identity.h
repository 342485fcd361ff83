// The long-term keys of a party in use, coordinator or participant alike: Ed25519 for signing,
// X25519 for CURVE. They are made and kept in the party's keystore (common/identity) and never
// leave it; what leaves is the card.
#pragma once

#include <string>

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

/// The public half, signed by itself.
Card card_of(const Identity& identity);
/// The same, signed also by the keys that it replaces, so that an operator who enrolled them can
/// tell that the party itself asks for it.
Card successor_card(const Identity& identity, const Identity& replaced);

/// The party's own word that these keys are not to be believed any more.
Revocation revocation_of(const Identity& identity);

}  // namespace sotto::config

// Identity holds the long-term keys that a party, coordinator or participant, uses: Ed25519 for
// signing, X25519 for CURVE. The keys are created and stored in the party's keystore
// (common/identity) and never leave it; the party publishes its card.
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

/// Returns the public half, signed by the identity itself.
Card card_of(const Identity& identity);
/// Returns the same, signed also by the keys that it replaces, so that an operator who enrolled
/// those can verify that the party itself requests the change.
Card successor_card(const Identity& identity, const Identity& replaced);

/// Returns the party's signed statement that these keys must not be trusted any more.
Revocation revocation_of(const Identity& identity);

}  // namespace sotto::config

#include "common/identity/identity.h"

namespace sotto::config {

Card card_of(const Identity& identity) {
  Card card{.name = identity.name,
            .signing_key = identity.signing.verify_key(),
            .transport_key = identity.transport_public};
  card.signature = identity.signing.sign(card.signed_bytes());
  return card;
}

Card successor_card(const Identity& identity, const Identity& replaced) {
  Card card = card_of(identity);
  card.replaces.signing_key = replaced.signing.verify_key();
  card.replaces.transport_key = replaced.transport_public;
  card.replaces.signature = replaced.signing.sign(card.succession_bytes());
  return card;
}

Revocation revocation_of(const Identity& identity) {
  Revocation out{.name = identity.name,
                 .signing_key = identity.signing.verify_key(),
                 .transport_key = identity.transport_public};
  out.signature = identity.signing.sign(out.signed_bytes());
  return out;
}

}  // namespace sotto::config

#include "common/secagg/shared/preshared.h"

#include <algorithm>

#include "common/crypto/aead.h"
#include "common/crypto/declassify.h"
#include "common/crypto/hash.h"

namespace sotto::secagg {
namespace {

Bytes bytes_of(const Bytes32& h, MemberId first, MemberId second) {
  return ByteWriter().bytes(h).u32(raw(first)).u32(raw(second)).take();
}

Bytes bytes_of(const EscrowPlace& place) {
  return bytes_of(place.h, place.dealer, place.holder);
}

Bytes32 commitment_of(const EscrowPlace& place, const crypto::Secret32& masking) {
  const Bytes32 commitment = crypto::hash("SA1 cmp", {bytes_of(place), masking.expose()});
  crypto::declassify(commitment);  // it is published in M3 and hides the value
  return commitment;
}

/// Returns the key that seals the escrow. It seals a single value, so the nonce may be zero.
crypto::Secret32 escrow_key(const EscrowPlace& place, const crypto::Secret32& r) {
  return crypto::kdf("SA1 pesc", r, {bytes_of(place)});
}

}  // namespace

RoundPreshared preshared_of_round(const crypto::Secret32& key, const Bytes32& h, MemberId one,
                                  MemberId other) {
  const Bytes pair = bytes_of(h, std::min(one, other), std::max(one, other));
  return {.sealing = crypto::kdf("SA1 psks", key, {pair}),
          .masking = crypto::kdf("SA1 pskm", key, {pair})};
}

wire::PresharedEscrow make_escrow(const EscrowPlace& place, const crypto::Secret32& masking,
                                  const crypto::Secret32& r) {
  wire::PresharedEscrow out{.commitment = commitment_of(place, masking)};
  const Bytes sealed =
      crypto::seal(escrow_key(place, r), crypto::Nonce{}, masking.expose(), out.commitment);
  std::ranges::copy(sealed, out.sealed.begin());
  return out;
}

bool commits_to(const wire::PresharedEscrow& escrow, const EscrowPlace& place,
                const crypto::Secret32& masking) {
  return escrow.commitment == commitment_of(place, masking);
}

std::optional<crypto::Secret32> open_escrow(const wire::PresharedEscrow& escrow,
                                            const EscrowPlace& place, const crypto::Secret32& r) {
  crypto::Secret32 masking;
  if (!crypto::open(escrow_key(place, r), crypto::Nonce{}, escrow.sealed, escrow.commitment,
                    masking.writable()) ||
      !commits_to(escrow, place, masking))
    return std::nullopt;
  return masking;
}

}  // namespace sotto::secagg

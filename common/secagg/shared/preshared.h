// Pre-shared keys of pairs (docs/secure-aggregation.md, 2.5): 32 bytes that two sites exchanged
// outside of the federation, mixed into everything that the two agree on in a round. With them a
// recording stays sealed when X25519 breaks one day. Masks of a member that dropped out must still
// come off the sum, so what a key becomes in the masks of one round lies in escrow under r, the
// secret that opens all of the member's pair masks anyway.
#pragma once

#include <map>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/crypto/secret.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// By the other site.
using PresharedKeys = std::map<MemberId, crypto::Secret32>;

/// What a key becomes in one round. Two values: nothing is sealed under what the coordinator may
/// learn.
struct RoundPreshared {
  crypto::Secret32 sealing;
  crypto::Secret32 masking;
};

/// The same for both sites, whichever is `one`.
RoundPreshared preshared_of_round(const crypto::Secret32& key, const Bytes32& h, MemberId one,
                                  MemberId other);

/// Whose entry of M3 it is in, and for whom.
struct EscrowPlace {
  Bytes32 h{};
  MemberId dealer{};
  MemberId holder{};
};

/// Made by the dealer: a commitment that the holder checks, and the value sealed under r.
wire::PresharedEscrow make_escrow(const EscrowPlace& place, const crypto::Secret32& masking,
                                  const crypto::Secret32& r);
/// At the holder: the dealer committed to the value that this site has too.
[[nodiscard]] bool commits_to(const wire::PresharedEscrow& escrow, const EscrowPlace& place,
                              const crypto::Secret32& masking);
/// At the coordinator, which has rebuilt r of a dealer that dropped out. Nothing when it is not
/// what the dealer committed to.
std::optional<crypto::Secret32> open_escrow(const wire::PresharedEscrow& escrow,
                                            const EscrowPlace& place, const crypto::Secret32& r);

}  // namespace sotto::secagg

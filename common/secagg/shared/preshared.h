// Pre-shared keys of pairs (docs/secure-aggregation.md, 2.5). A pre-shared key is 32 bytes that two
// sites exchanged outside of the federation. It enters every key that the two derive in a round, so
// that recorded traffic stays confidential if X25519 is broken later. The coordinator must still be
// able to remove the masks of a member that dropped out. The value that a key contributes to the
// masks of one round is therefore in escrow under r, the secret that opens all pairwise masks of
// the member anyway.
#pragma once

#include <map>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/crypto/secret.h"
#include "common/wire/messages.h"

namespace sotto::secagg {

/// Pre-shared keys by the other site's id.
using PresharedKeys = std::map<MemberId, crypto::Secret32>;

/// The two values that are derived from a key for one round. They are separate so that nothing is
/// sealed under a value that the coordinator may learn.
struct RoundPreshared {
  crypto::Secret32 sealing;
  crypto::Secret32 masking;
};

/// Derives the values of one round. Both sites get the same, in whichever order `one` and `other`
/// are given.
RoundPreshared preshared_of_round(const crypto::Secret32& key, const Bytes32& h, MemberId one,
                                  MemberId other);

/// Identifies an escrow: the dealer whose entry of M3 contains it, and the holder to which the
/// entry is addressed.
struct EscrowPlace {
  Bytes32 h{};
  MemberId dealer{};
  MemberId holder{};
};

/// Returns, at the dealer, a commitment that the holder checks, and the value sealed under r.
wire::PresharedEscrow make_escrow(const EscrowPlace& place, const crypto::Secret32& masking,
                                  const crypto::Secret32& r);
/// Returns, at the holder, whether the dealer committed to the value that this site has as well.
[[nodiscard]] bool commits_to(const wire::PresharedEscrow& escrow, const EscrowPlace& place,
                              const crypto::Secret32& masking);
/// Opens the escrow at the coordinator, which has reconstructed r of a dealer that dropped out.
/// Returns nothing when it does not open to the value that the dealer committed to.
std::optional<crypto::Secret32> open_escrow(const wire::PresharedEscrow& escrow,
                                            const EscrowPlace& place, const crypto::Secret32& r);

}  // namespace sotto::secagg

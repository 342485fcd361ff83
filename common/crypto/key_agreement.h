// X25519 key agreement (RFC 7748). Keys are stored and hashed unclamped; the scalar multiplication
// clamps its own copy.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

using PublicKey = Bytes32;

/// AgreementKey is a private key with its public key.
class AgreementKey {
 public:
  /// Any 32 bytes are a private key.
  explicit AgreementKey(Secret32 secret);

  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }

  /// Returns the raw shared point. Fails when it is all zero (the peer's key is of low order).
  [[nodiscard]] Result<Secret32> agree(const PublicKey& peer) const;

 private:
  Secret32 secret_;
  PublicKey public_key_{};
};

/// Returns true for the low-order points that X25519 maps to zero and for their non-canonical
/// encodings.
[[nodiscard]] bool is_low_order(const PublicKey& key);

}  // namespace sotto::crypto

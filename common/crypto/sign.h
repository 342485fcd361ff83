// Ed25519 signatures (pure). Callers compose the signed messages; those of the protocol are in
// common/secagg/shared/transcript.h.
#pragma once

#include "common/base/bytes.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

using VerifyKey = Bytes32;
using Signature = Bytes64;

/// SigningKey is an Ed25519 key pair.
class SigningKey {
 public:
  static SigningKey generate(SecureRandom& random);
  static SigningKey from_seed(const Secret32& seed);

  [[nodiscard]] const VerifyKey& verify_key() const { return verify_key_; }

  [[nodiscard]] const Secret32& seed() const { return seed_; }

  [[nodiscard]] Signature sign(BytesView message) const;

 private:
  SigningKey(Secret32 seed, Secret64 expanded, const VerifyKey& verify_key);

  Secret32 seed_;
  Secret64 expanded_;
  VerifyKey verify_key_{};
};

/// Returns false for a bad signature, a small-order or non-canonical key, or a non-canonical S.
[[nodiscard]] bool verify(const VerifyKey& key, BytesView message, const Signature& signature);

}  // namespace sotto::crypto

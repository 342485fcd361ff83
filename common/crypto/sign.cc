#include "common/crypto/sign.h"

#include <utility>

#include <sodium.h>

#include "common/base/check.h"

namespace sotto::crypto {

SigningKey::SigningKey(Secret32 seed, Secret64 expanded, const VerifyKey& verify_key)
    : seed_(std::move(seed)), expanded_(std::move(expanded)), verify_key_(verify_key) {}

SigningKey SigningKey::generate(SecureRandom& random) {
  return from_seed(Secret32::random(random));
}

SigningKey SigningKey::from_seed(const Secret32& seed) {
  Secret64 expanded;
  VerifyKey verify_key{};
  const int rc = crypto_sign_ed25519_seed_keypair(verify_key.data(), expanded.writable().data(),
                                                  seed.expose().data());
  SOTTO_CHECK(rc == 0, "Ed25519 refused a seed");
  return {seed.clone(), std::move(expanded), verify_key};
}

Signature SigningKey::sign(BytesView message) const {
  Signature out{};
  const int rc = crypto_sign_ed25519_detached(out.data(), nullptr, message.data(), message.size(),
                                              expanded_.expose().data());
  SOTTO_CHECK(rc == 0, "Ed25519 cannot sign");
  return out;
}

// libsodium rejects an S that is not below the group order, keys and R of small order, and keys
// that are not canonical. It compares R with its own encoding, so that R is canonical too. The
// tests check each of these.
bool verify(const VerifyKey& key, BytesView message, const Signature& signature) {
  return crypto_sign_ed25519_verify_detached(signature.data(), message.data(), message.size(),
                                             key.data()) == 0;
}

}  // namespace sotto::crypto

#include "common/crypto/aead.h"

#include <sodium.h>

#include "common/base/check.h"
#include "common/crypto/declassify.h"

namespace sotto::crypto {

Bytes seal(const Secret32& key, const Nonce& nonce, BytesView plaintext,
           BytesView associated_data) {
  Bytes out(plaintext.size() + kAeadTagBytes);
  const int rc = crypto_aead_xchacha20poly1305_ietf_encrypt(
      out.data(), nullptr, plaintext.data(), plaintext.size(), associated_data.data(),
      associated_data.size(), nullptr, nonce.data(), key.expose().data());
  SOTTO_CHECK(rc == 0, "XChaCha20-Poly1305 cannot seal");
  declassify(out);  // the ciphertext is sent
  return out;
}

bool open(const Secret32& key, const Nonce& nonce, BytesView ciphertext, BytesView associated_data,
          std::span<std::uint8_t> out) {
  if (ciphertext.size() < kAeadTagBytes) {
    wipe(out);
    return false;
  }
  SOTTO_CHECK(out.size() == ciphertext.size() - kAeadTagBytes, "the plaintext needs its own size");
  const int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
      out.data(), nullptr, nullptr, ciphertext.data(), ciphertext.size(), associated_data.data(),
      associated_data.size(), nonce.data(), key.expose().data());
  const bool opened = declassified(rc == 0);  // a failure becomes a complaint that everybody sees
  if (!opened) wipe(out);
  return opened;
}

}  // namespace sotto::crypto

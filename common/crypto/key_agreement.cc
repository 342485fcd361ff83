#include "common/crypto/key_agreement.h"

#include <utility>

#include <sodium.h>

#include "common/base/check.h"
#include "common/crypto/declassify.h"

namespace sotto::crypto {

AgreementKey::AgreementKey(Secret32 secret) : secret_(std::move(secret)) {
  const int rc = crypto_scalarmult_curve25519_base(public_key_.data(), secret_.expose().data());
  SOTTO_CHECK(rc == 0, "X25519 refused its base point");
  declassify(public_key_);  // the public key is published
}

Result<Secret32> AgreementKey::agree(const PublicKey& peer) const {
  Secret32 shared;
  const int rc =
      crypto_scalarmult_curve25519(shared.writable().data(), secret_.expose().data(), peer.data());
  // The result is public because it depends on the peer's key alone, not on the secret.
  if (declassified(rc != 0))
    return Error{"the peer's X25519 key is of low order: it agrees on no secret"};
  return shared;
}

namespace {

constexpr PublicKey filled(std::uint8_t first, std::uint8_t middle, std::uint8_t last) {
  PublicKey out{};
  out.fill(middle);
  out.front() = first;
  out.back() = last;
  return out;
}

// The u coordinates below 2^255 whose points, on the curve or its twist, have an order that divides
// the cofactor 8: 0, 1, the two of order 8, p - 1, and p and p + 1, which also encode 0 and 1.
constexpr std::array<PublicKey, 7> kLowOrder = {
    filled(0x00, 0x00, 0x00),
    filled(0x01, 0x00, 0x00),
    PublicKey{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
              0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
              0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    PublicKey{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
              0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
              0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    filled(0xec, 0xff, 0x7f),
    filled(0xed, 0xff, 0x7f),
    filled(0xee, 0xff, 0x7f),
};

}  // namespace

bool is_low_order(const PublicKey& key) {
  PublicKey u = key;
  u.back() &= 0x7f;  // RFC 7748: the top bit is ignored
  for (const PublicKey& low : kLowOrder)
    if (u == low) return true;
  return false;
}

}  // namespace sotto::crypto

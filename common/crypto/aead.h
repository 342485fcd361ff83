// XChaCha20-Poly1305-IETF. It provides confidentiality of the plaintext and integrity of plaintext
// and associated data (IND-CPA + INT-CTXT) as long as no nonce is used twice under one key. A nonce
// of 24 bytes can safely be drawn at random.
#pragma once

#include <array>

#include "common/base/bytes.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

inline constexpr std::size_t kAeadTagBytes = 16;
using Nonce = std::array<std::uint8_t, 24>;

/// Returns the ciphertext, of plaintext.size() + kAeadTagBytes bytes.
Bytes seal(const Secret32& key, const Nonce& nonce, BytesView plaintext, BytesView associated_data);

/// Writes the plaintext into `out`, whose size must be ciphertext.size() - kAeadTagBytes. Returns
/// false, with `out` zeroed, when the tag does not verify.
[[nodiscard]] bool open(const Secret32& key, const Nonce& nonce, BytesView ciphertext,
                        BytesView associated_data, std::span<std::uint8_t> out);

}  // namespace sotto::crypto

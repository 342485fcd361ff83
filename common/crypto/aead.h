// XChaCha20-Poly1305-IETF. Confidentiality and integrity of plaintext and associated data (IND-CPA
// + INT-CTXT) as long as a nonce is not used twice under one key; 24 random bytes are safe to draw.
#pragma once

#include <array>
#include <optional>

#include "common/base/bytes.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

inline constexpr std::size_t kAeadTagBytes = 16;
using Nonce = std::array<std::uint8_t, 24>;

/// Ciphertext of plaintext.size() + kAeadTagBytes bytes.
Bytes seal(const Secret32& key, const Nonce& nonce, BytesView plaintext, BytesView associated_data);

/// Writes the plaintext into `out`, whose size must be ciphertext.size() - kAeadTagBytes.
/// False, and `out` zeroed, when the tag does not fit.
[[nodiscard]] bool open(const Secret32& key, const Nonce& nonce, BytesView ciphertext,
                        BytesView associated_data, std::span<std::uint8_t> out);

}  // namespace sotto::crypto

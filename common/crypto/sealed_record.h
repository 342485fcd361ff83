// One record under XChaCha20-Poly1305 as libsodium's secretstream has it: a stream of one message
// with the final tag. Every record has a random header of its own, from which HChaCha20 makes its
// own key, so any one of millions opens without the others.
#pragma once

#include "common/base/bytes.h"
#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"

namespace sotto::crypto {

inline constexpr std::size_t kRecordHeaderBytes = 24;
/// What sealing adds: the header, the encrypted tag, the authenticator.
inline constexpr std::size_t kRecordOverhead = kRecordHeaderBytes + 17;

/// plaintext.size() + kRecordOverhead bytes, bound to associated_data.
Bytes seal_record(const Secret32& key, BytesView plaintext, BytesView associated_data,
                  SecureRandom& random);

/// Writes the plaintext into `out`, whose size must be sealed.size() - kRecordOverhead. False, and
/// `out` zeroed, when anything was changed.
[[nodiscard]] bool open_record(const Secret32& key, BytesView sealed, BytesView associated_data,
                               std::span<std::uint8_t> out);

}  // namespace sotto::crypto

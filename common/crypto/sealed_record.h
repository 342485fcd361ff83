// Encryption of a single record with libsodium's secretstream (XChaCha20-Poly1305): a stream of one
// message with the final tag. Every record has a random header, from which HChaCha20 derives its
// own key, so that each of millions of records can be opened without the others.
#pragma once

#include "common/base/bytes.h"
#include "common/crypto/secret.h"
#include "common/crypto/secure_random.h"

namespace sotto::crypto {

inline constexpr std::size_t kRecordHeaderBytes = 24;
/// The bytes that sealing adds: the header, the encrypted tag, the authenticator.
inline constexpr std::size_t kRecordOverhead = kRecordHeaderBytes + 17;

/// Returns plaintext.size() + kRecordOverhead bytes, bound to associated_data.
Bytes seal_record(const Secret32& key, BytesView plaintext, BytesView associated_data,
                  SecureRandom& random);

/// Writes the plaintext into `out`, whose size must be sealed.size() - kRecordOverhead. Returns
/// false, with `out` zeroed, when anything was changed.
[[nodiscard]] bool open_record(const Secret32& key, BytesView sealed, BytesView associated_data,
                               std::span<std::uint8_t> out);

}  // namespace sotto::crypto

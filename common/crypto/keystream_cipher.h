// Inside of mask_stream: AES-256-CTR keystream under one expanded key, by either back end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "common/crypto/secret.h"

namespace sotto::crypto {

using CounterBlock = std::array<std::uint8_t, 16>;

/// Longest span that one generate() fills: accumulator, keystream and zeros stay in a 32 KiB cache.
inline constexpr std::size_t kKeystreamChunk = 8192;

/// Of one thread: made, used and destroyed on the same one.
class KeystreamCipher {
 public:
  virtual ~KeystreamCipher() = default;
  /// out = AES(first), AES(first + 1), ...; at most kKeystreamChunk bytes.
  virtual void generate(const CounterBlock& first, std::span<std::uint8_t> out) = 0;
};

bool ipsec_mb_available();
/// Only where ipsec_mb_available().
std::unique_ptr<KeystreamCipher> make_ipsec_mb_cipher(const Secret32& key);
std::unique_ptr<KeystreamCipher> make_openssl_cipher(const Secret32& key);

/// What both back ends encrypt: kKeystreamChunk zero bytes.
std::span<const std::uint8_t> zero_chunk();

}  // namespace sotto::crypto

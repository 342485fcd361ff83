// Internal to mask_stream: KeystreamCipher generates AES-256-CTR keystream under one expanded key.
// It has two back ends.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "common/crypto/secret.h"

namespace sotto::crypto {

using CounterBlock = std::array<std::uint8_t, 16>;

/// The longest span that one generate() fills. With this size accumulator, keystream and zeros stay
/// in a cache of 32 KiB.
inline constexpr std::size_t kKeystreamChunk = 8192;

/// A cipher is created, used and destroyed on one thread.
class KeystreamCipher {
 public:
  virtual ~KeystreamCipher() = default;
  /// Writes AES(first), AES(first + 1), ... to `out`, which has at most kKeystreamChunk bytes.
  virtual void generate(const CounterBlock& first, std::span<std::uint8_t> out) = 0;
};

bool ipsec_mb_available();
/// Needs ipsec_mb_available().
std::unique_ptr<KeystreamCipher> make_ipsec_mb_cipher(const Secret32& key);
std::unique_ptr<KeystreamCipher> make_openssl_cipher(const Secret32& key);

/// Returns kKeystreamChunk zero bytes, which both back ends encrypt.
std::span<const std::uint8_t> zero_chunk();

}  // namespace sotto::crypto

#include "common/crypto/secure_random.h"

#include <algorithm>
#include <cstring>

#include <sodium.h>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/crypto/secret.h"

namespace sotto::crypto {

void OsRandom::fill(std::span<std::uint8_t> out) {
  static const int ready = sodium_init();
  SOTTO_CHECK(ready >= 0, "libsodium cannot start: no source of random bytes");
  if (!out.empty()) randombytes_buf(out.data(), out.size());
}

namespace {

constexpr std::size_t kBufferBytes = 4096;
constexpr std::size_t kChaChaBlock = 64;

}  // namespace

struct StreamRandom::State {
  Secret32 key;
  SecretCell buffer{kBufferBytes};
  std::size_t used = kBufferBytes;
  std::uint64_t next_block = 0;

  // The consumed part of the buffer is zero. At a refill all of it is consumed, so the zeros are
  // encrypted in place.
  void refill() {
    static constexpr std::array<std::uint8_t, crypto_stream_chacha20_NONCEBYTES> kNonce{};
    crypto_stream_chacha20_xor_ic(buffer.data(), buffer.data(), kBufferBytes, kNonce.data(),
                                  next_block, key.expose().data());
    next_block += kBufferBytes / kChaChaBlock;
    used = 0;
  }
};

StreamRandom::StreamRandom(SecureRandom& seed_source) : state_(std::make_unique<State>()) {
  seed_source.fill(state_->key.writable());
}

StreamRandom::StreamRandom(std::uint64_t test_seed) : state_(std::make_unique<State>()) {
  for (std::size_t i = 0; i < 8; ++i)
    state_->key.writable()[i] = static_cast<std::uint8_t>(test_seed >> (8 * i));
}

StreamRandom::~StreamRandom() = default;

void StreamRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    if (state_->used == kBufferBytes) state_->refill();
    std::uint8_t* const from = state_->buffer.data() + state_->used;
    const std::size_t n = std::min(out.size(), kBufferBytes - state_->used);
    std::memcpy(out.data(), from, n);
    wipe({from, n});
    state_->used += n;
    out = out.subspan(n);
  }
}

std::uint64_t StreamRandom::next_u64() {
  std::array<std::uint8_t, 8> bytes{};
  fill(bytes);
  return ByteReader(bytes).u64();
}

std::uint64_t StreamRandom::below(std::uint64_t bound) {
  SOTTO_CHECK(bound > 0, "a number below zero was asked for");
  // 2^64 mod bound. Draws below it are rejected, because they would make small remainders too
  // frequent.
  const std::uint64_t surplus = (0 - bound) % bound;
  std::uint64_t draw = next_u64();
  while (draw < surplus)
    draw = next_u64();
  return draw % bound;
}

double StreamRandom::unit() {
  return static_cast<double>(next_u64() >> 11) * 0x1p-53;
}

}  // namespace sotto::crypto

// AES-256-CTR mask streams: keystream that is added to a vector of 16, 32 or 64-bit words,
// wrapping. Counter block = u32 lane (LE) || 00000000 || u64 block (BE), block 0 at byte 0 of the
// lane (docs/secure-aggregation.md, "Masks"). Two back ends give identical bytes; each party may
// use either.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "common/crypto/secret.h"

namespace sotto::crypto {

enum class MaskBackend { kIpsecMb, kOpenssl };

/// Returns ipsec-mb if it was built in and the CPU has AES-NI, else OpenSSL.
MaskBackend default_mask_backend();
bool mask_backend_available(MaskBackend backend);
std::string_view name(MaskBackend backend);

enum class MaskSign : std::uint8_t { kAdd, kSubtract };

/// One stream to add to or subtract from a lane. A key is used for one lane of one round of one
/// pair, and for at most 2^28 blocks (4 GiB of keystream).
struct MaskTerm {
  Secret32 key;
  MaskSign sign = MaskSign::kAdd;
};

/// Adds word (first_word + i) of each term's stream to acc[i], or subtracts it; words are
/// little-endian. first_word * sizeof(word) is a multiple of 16 (SOTTO_CHECK). The outer loop is
/// over cache-sized chunks and the inner one over keys, so that the accumulator stays in cache; the
/// scratch memory is wiped. One call uses one thread; calls on disjoint spans may run in parallel.
/// Each call expands the key schedules once.
void add_masks(std::span<std::uint16_t> acc, std::uint32_t lane, std::uint64_t first_word,
               std::span<const MaskTerm> terms, MaskBackend backend = default_mask_backend());
void add_masks(std::span<std::uint32_t> acc, std::uint32_t lane, std::uint64_t first_word,
               std::span<const MaskTerm> terms, MaskBackend backend = default_mask_backend());
void add_masks(std::span<std::uint64_t> acc, std::uint32_t lane, std::uint64_t first_word,
               std::span<const MaskTerm> terms, MaskBackend backend = default_mask_backend());

/// Writes raw keystream from `first_block` on to `out`, for public streams (check coefficients) and
/// for tests.
void keystream(const Secret32& key, std::uint32_t lane, std::uint64_t first_block,
               std::span<std::uint8_t> out, MaskBackend backend = default_mask_backend());

}  // namespace sotto::crypto

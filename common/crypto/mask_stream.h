// AES-256-CTR mask streams: keystream added into a vector of 16, 32 or 64-bit words, wrapping.
// Counter block = u32 lane (LE) || 00000000 || u64 block (BE), block 0 at byte 0 of the lane
// (docs/secure-aggregation.md, "Masks"). Two back ends, identical bytes; which one runs is local.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/crypto/secret.h"

namespace sotto::crypto {

enum class MaskBackend { kIpsecMb, kOpenssl };

/// ipsec-mb where it was built in and the CPU has AES-NI, else OpenSSL.
MaskBackend default_mask_backend();
bool mask_backend_available(MaskBackend backend);
std::string_view name(MaskBackend backend);

enum class MaskSign : std::uint8_t { kAdd, kSubtract };

/// One stream to add to or subtract from a lane. The key is good for one lane of one round of one
/// pair, at most 2^28 blocks (4 GiB of keystream).
struct MaskTerm {
  Secret32 key;
  MaskSign sign = MaskSign::kAdd;
};

/// acc[i] += (or -=) word (first_word + i) of each term's stream, words little-endian.
/// first_word * sizeof(word) is a multiple of 16. Loops over cache-sized chunks outside and keys
/// inside, so the accumulator stays in cache; scratch is wiped. One call uses one thread; calls on
/// disjoint spans may run in parallel. Key schedules are expanded once a call.
void add_masks(std::span<std::uint16_t> acc, std::uint32_t lane, std::uint64_t first_word,
               std::span<const MaskTerm> terms, MaskBackend backend = default_mask_backend());
void add_masks(std::span<std::uint32_t> acc, std::uint32_t lane, std::uint64_t first_word,
               std::span<const MaskTerm> terms, MaskBackend backend = default_mask_backend());
void add_masks(std::span<std::uint64_t> acc, std::uint32_t lane, std::uint64_t first_word,
               std::span<const MaskTerm> terms, MaskBackend backend = default_mask_backend());

/// Raw keystream from `first_block`, for public streams (check coefficients) and for tests.
void keystream(const Secret32& key, std::uint32_t lane, std::uint64_t first_block,
               std::span<std::uint8_t> out, MaskBackend backend = default_mask_backend());

}  // namespace sotto::crypto

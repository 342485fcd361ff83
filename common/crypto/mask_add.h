// Internal to mask_stream: vector addition with the widest registers of this CPU.
#pragma once

#include <cstdint>
#include <span>

#include "common/crypto/mask_stream.h"

namespace sotto::crypto {

/// Adds the i-th little-endian word of `stream` to acc[i], or subtracts it, wrapping. `stream` has
/// at least as many bytes as `acc`.
void add_words(std::span<std::uint16_t> acc, std::span<const std::uint8_t> stream, MaskSign sign);
void add_words(std::span<std::uint32_t> acc, std::span<const std::uint8_t> stream, MaskSign sign);
void add_words(std::span<std::uint64_t> acc, std::span<const std::uint8_t> stream, MaskSign sign);

}  // namespace sotto::crypto

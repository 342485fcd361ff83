// Inside of mask_stream: the vector addition, for the widest registers of this CPU.
#pragma once

#include <cstdint>
#include <span>

#include "common/crypto/mask_stream.h"

namespace sotto::crypto {

/// acc[i] += or -= the i-th little-endian word of `stream`, wrapping. `stream` holds at least the
/// bytes of `acc`.
void add_words(std::span<std::uint16_t> acc, std::span<const std::uint8_t> stream, MaskSign sign);
void add_words(std::span<std::uint32_t> acc, std::span<const std::uint8_t> stream, MaskSign sign);
void add_words(std::span<std::uint64_t> acc, std::span<const std::uint8_t> stream, MaskSign sign);

}  // namespace sotto::crypto

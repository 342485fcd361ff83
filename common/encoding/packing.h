// b-bit packing: word i occupies bits i b to i b + b - 1, bit 0 = least significant bit of byte 0,
// spare bits of the last byte zero (docs/secure-aggregation.md, "Ring and upload"). No branch and
// no address depends on a word.
#pragma once

#include <cstdint>
#include <span>

#include "common/base/bytes.h"

namespace sotto::encoding {

[[nodiscard]] constexpr std::uint64_t packed_size(std::uint64_t words, unsigned bits) {
  return (words * bits + 7) / 8;
}

/// Packs the low `bits` bits of every word; higher bits are dropped. `out` has packed_size() bytes;
/// 1 <= bits <= the width of a word.
void pack_words(std::span<const std::uint16_t> words, unsigned bits, std::span<std::uint8_t> out);
void pack_words(std::span<const std::uint32_t> words, unsigned bits, std::span<std::uint8_t> out);
void pack_words(std::span<const std::uint64_t> words, unsigned bits, std::span<std::uint8_t> out);

/// Adds the packed words to `words`, wrapping. `in` has exactly packed_size() bytes; spare bits are
/// ignored.
void add_packed_words(BytesView in, unsigned bits, std::span<std::uint16_t> words);
void add_packed_words(BytesView in, unsigned bits, std::span<std::uint32_t> words);
void add_packed_words(BytesView in, unsigned bits, std::span<std::uint64_t> words);

}  // namespace sotto::encoding

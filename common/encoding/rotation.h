// Randomised Hadamard rotation (docs/secure-aggregation.md, 3.1): spreads a vector's norm evenly
// over its coordinates, so that few bits a value hold every sum. Orthonormal and block-diagonal:
// blocks of 2^20 values, the last one padded with zeros to a power of two. The signs are public and
// the same for everybody in a round.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"

namespace sotto::codec {

inline constexpr std::uint64_t kRotationBlock = std::uint64_t{1} << 20;

/// The length after padding (m'), for at least one value.
std::uint64_t rotated_length(std::uint64_t values);

/// Signs under the round's header hash, then a Walsh-Hadamard transform a block. The norm stays as
/// it is within float rounding; rotated_length(values.size()) values.
std::vector<float> rotate(std::span<const float> values, const Bytes32& header_hash);

/// The inverse, in place, of one block of what was rotated: `first` is its place there, a multiple
/// of kRotationBlock.
void rotate_block_back(std::span<float> block, std::uint64_t first, const Bytes32& header_hash);

}  // namespace sotto::codec

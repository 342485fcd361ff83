// Randomised Hadamard rotation (docs/secure-aggregation.md, 3.1). It spreads a vector's norm evenly
// over its coordinates, so that few bits for each value suffice for every sum. It is orthonormal
// and block-diagonal: blocks of 2^20 values, the last one padded with zeros to a power of two. The
// signs are public and the same for every member of a round.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/bytes.h"

namespace sotto::encoding {

inline constexpr std::uint64_t kRotationBlock = std::uint64_t{1} << 20;

/// Returns the length after padding (m'), for at least one value.
std::uint64_t rotated_length(std::uint64_t values);

/// Rotates `values`: applies the signs under the round's header hash, then a Walsh-Hadamard
/// transform to each block. The norm is unchanged up to float rounding. Returns
/// rotated_length(values.size()) values.
std::vector<float> rotate(std::span<const float> values, const Bytes32& header_hash);

/// Applies the inverse, in place, to one block of a rotated vector. `first` is the index of its
/// first value there, a multiple of kRotationBlock.
void rotate_block_back(std::span<float> block, std::uint64_t first, const Bytes32& header_hash);

}  // namespace sotto::encoding

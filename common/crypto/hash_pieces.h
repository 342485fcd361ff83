// Hashes of the pieces of something big and public - a masked upload, a sum - several pieces at a
// time, one in each lane of a vector register. A hash over them is a hash of the whole.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/bytes.h"

namespace sotto::crypto {

inline constexpr std::size_t kPieceBytes = 8192;

/// hash(label, {head, u64 i, piece i}) of each piece of kPieceBytes; the last one may be shorter,
/// and nothing has no pieces. `head` is shorter than 120 bytes (SOTTO_CHECK). With AVX-512 eight
/// pieces at a time, with AVX2 four, else one after the other.
std::vector<Bytes32> hash_pieces(std::string_view label, BytesView head, BytesView bytes);

}  // namespace sotto::crypto

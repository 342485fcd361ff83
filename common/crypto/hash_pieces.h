// Hashes of the pieces of something big and public - a masked upload, a sum - several pieces at a
// time, one in each lane of a vector register. A hash over them is a hash of the whole.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"

namespace sotto::crypto {

inline constexpr std::size_t kPieceBytes = 8192;

/// hash(label, {head, u64 i, piece i}) of each piece of kPieceBytes, of which the first one here is
/// piece `first`; the last one may be shorter, and nothing has no pieces. `head` is shorter than
/// 120 bytes (SOTTO_CHECK). With AVX-512 eight pieces at a time, with AVX2 four, else one after the
/// other.
std::vector<Bytes32> hash_pieces(std::string_view label, BytesView head, BytesView bytes,
                                 std::uint64_t first);

/// hash(label, {head, hashes of the pieces}) of what comes part by part.
class PiecedHasher {
 public:
  struct Labels {
    std::string_view whole;
    std::string_view piece;
  };

  PiecedHasher(const Labels& labels, Bytes head);
  /// Parts of any length; what comes out does not depend on where they were cut.
  void update(BytesView part);
  /// Once.
  Bytes32 finish();

 private:
  void hash_now(BytesView pieces);

  std::string_view piece_label_;
  Bytes head_;
  Hasher whole_;
  Bytes begun_;  // of a piece that is not complete
  std::uint64_t pieces_ = 0;
};

}  // namespace sotto::crypto

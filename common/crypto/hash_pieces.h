// Hashes of the pieces of large public data, such as a masked upload or a sum. Several pieces are
// hashed at a time, one in each lane of a vector register. A hash over these hashes covers all of
// the data.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/crypto/hash.h"

namespace sotto::crypto {

inline constexpr std::size_t kPieceBytes = 8192;

/// Returns hash(label, {head, u64 i, piece i}) of each piece i of kPieceBytes. The first piece in
/// `bytes` has the number `first`; the last one may be shorter; empty data have no pieces. `head`
/// is shorter than 120 bytes (SOTTO_CHECK). Computes eight pieces at a time with AVX-512, four with
/// AVX2, else one.
std::vector<Bytes32> hash_pieces(std::string_view label, BytesView head, BytesView bytes,
                                 std::uint64_t first);

/// PiecedHasher computes hash(label, {head, hashes of the pieces}) of data that are given in parts.
class PiecedHasher {
 public:
  struct Labels {
    std::string_view whole;
    std::string_view piece;
  };

  PiecedHasher(const Labels& labels, Bytes head);
  /// Adds a part of any length. The hash does not depend on how the data are cut into parts.
  void update(BytesView part);
  /// Returns the hash. May be called once.
  Bytes32 finish();

 private:
  void hash_now(BytesView pieces);

  std::string_view piece_label_;
  Bytes head_;
  Hasher whole_;
  Bytes begun_;  // the beginning of a piece that is not complete
  std::uint64_t pieces_ = 0;
};

}  // namespace sotto::crypto

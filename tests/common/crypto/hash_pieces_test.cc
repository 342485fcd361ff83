#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "common/crypto/hash_pieces.h"

namespace sotto::crypto {
namespace {

Bytes some_bytes(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<std::uint8_t>(151 * i + i / 256);
  return out;
}

/// By hash(), which is libsodium's.
std::vector<Bytes32> one_by_one(std::string_view label, BytesView head, BytesView bytes) {
  std::vector<Bytes32> out;
  for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    ByteWriter index;
    index.u64(out.size());
    out.push_back(hash(
        label, {head, index.view(), bytes.subspan(at, std::min(kPieceBytes, bytes.size() - at))}));
  }
  return out;
}

TEST(HashPieces, AreTheHashesOfThePiecesOneByOne) {
  for (std::size_t whole_pieces : {0U, 1U, 3U, 4U, 7U, 8U, 9U, 16U, 21U})
    for (std::size_t rest : {std::size_t{0}, std::size_t{1}, std::size_t{127}, kPieceBytes - 1}) {
      const Bytes bytes = some_bytes(whole_pieces * kPieceBytes + rest);
      const Bytes head = some_bytes(36);
      EXPECT_EQ(hash_pieces("SA1 ypc", head, bytes, 0), one_by_one("SA1 ypc", head, bytes))
          << whole_pieces << " " << rest;
    }
}

TEST(HashPieces, WithAHeadOfAnyLength) {
  const Bytes bytes = some_bytes(9 * kPieceBytes);
  for (std::size_t head : {0U, 1U, 7U, 8U, 56U, 119U})
    EXPECT_EQ(hash_pieces("l", some_bytes(head), bytes, 0),
              one_by_one("l", some_bytes(head), bytes))
        << head;
  EXPECT_DEATH(hash_pieces("l", some_bytes(120), bytes, 0), "fits in one block");
}

TEST(PiecedHasher, WherePartsAreCutMakesNoDifference) {
  const Bytes bytes = some_bytes(5 * kPieceBytes + 77), head = some_bytes(36);
  Hasher expected("whole");
  expected.update(head);
  for (const Bytes32& piece : one_by_one("piece", head, bytes))
    expected.update(piece);
  const Bytes32 hash = expected.finish();
  for (const std::size_t step : {std::size_t{100}, kPieceBytes - 1, kPieceBytes, kPieceBytes + 1,
                                 3 * kPieceBytes, bytes.size()}) {
    PiecedHasher hasher({.whole = "whole", .piece = "piece"}, head);
    for (std::size_t at = 0; at < bytes.size(); at += step)
      hasher.update(BytesView(bytes).subspan(at, std::min(step, bytes.size() - at)));
    EXPECT_EQ(hasher.finish(), hash) << step;
  }
}

TEST(HashPieces, EveryByteCounts) {
  Bytes bytes = some_bytes(8 * kPieceBytes);
  const auto before = hash_pieces("l", {}, bytes, 0);
  for (std::size_t at = 0; at < bytes.size(); at += 509) {
    bytes[at] ^= 1;
    const auto after = hash_pieces("l", {}, bytes, 0);
    for (std::size_t piece = 0; piece < 8; ++piece)
      EXPECT_EQ(before[piece] == after[piece], piece != at / kPieceBytes) << at;
    bytes[at] ^= 1;
  }
}

}  // namespace
}  // namespace sotto::crypto

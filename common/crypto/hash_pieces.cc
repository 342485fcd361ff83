#include "common/crypto/hash_pieces.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/check.h"
#include "common/base/vector_targets.h"
#include "common/crypto/hash.h"

namespace sotto::crypto {
namespace {

static_assert(std::endian::native == std::endian::little, "BLAKE2b reads little-endian words");

// BLAKE2b (RFC 7693): unkeyed, 32 bytes of output, sequential, salt zero, the label as personal
// parameter. The tests compare it with hash().

constexpr std::size_t kBlock = 128;

constexpr std::array<std::uint64_t, 8> kIv = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

constexpr std::uint8_t kSigma[12][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                         {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                         {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                         {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                         {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                         {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                         {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                         {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                         {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
                                         {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3}};

/// Returns the chaining value before the first block: IV xor parameter block.
std::array<std::uint64_t, 8> first_chain(std::string_view label) {
  SOTTO_CHECK(!label.empty() && label.size() <= 16, "a label is 1 to 16 bytes");
  std::array<std::uint8_t, 64> parameters{};
  parameters[0] = sizeof(Bytes32);
  parameters[2] = parameters[3] = 1;  // fanout and depth
  std::copy(label.begin(), label.end(), parameters.begin() + 48);
  std::array<std::uint64_t, 8> words{};
  std::memcpy(words.data(), parameters.data(), sizeof words);
  for (std::size_t i = 0; i < 8; ++i)
    words[i] ^= kIv[i];
  return words;
}

/// A message: the concatenation of head and body, of which the head is shorter than a block.
struct Input {
  Bytes head;
  BytesView body;
};

/// Together hashes as many messages of one length as a register has 64-bit lanes. It uses the
/// compiler's vector types; the function that it is inlined into determines their instructions.
template <std::size_t kLanes>
struct Together {
  typedef std::uint64_t Word __attribute__((vector_size(8 * kLanes)));  // NOLINT: no other form

  template <unsigned kBits>
  SOTTO_INLINE static void rotate(Word& x) {
    x = (x >> kBits) | (x << (64 - kBits));
  }

  SOTTO_INLINE static void mix(Word* v, std::size_t a, std::size_t b, std::size_t c, std::size_t d,
                               const Word& x, const Word& y) {
    v[a] += v[b] + x;
    v[d] ^= v[a];
    rotate<32>(v[d]);
    v[c] += v[d];
    v[b] ^= v[c];
    rotate<24>(v[b]);
    v[a] += v[b] + y;
    v[d] ^= v[a];
    rotate<16>(v[d]);
    v[c] += v[d];
    v[b] ^= v[c];
    rotate<63>(v[b]);
  }

  SOTTO_INLINE static void compress(Word* chain, const Word* m, std::uint64_t bytes_so_far,
                                    bool last) {
    Word v[16];
    for (std::size_t i = 0; i < 8; ++i) {
      v[i] = chain[i];
      v[8 + i] = Word{} + kIv[i];
    }
    v[12] ^= Word{} + bytes_so_far;
    if (last) v[14] = ~v[14];
#pragma GCC unroll 12
    for (std::size_t round = 0; round < 12; ++round) {
      const std::uint8_t* s = kSigma[round];
      mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
      mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
      mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
      mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
      mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
      mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
      mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
      mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (std::size_t i = 0; i < 8; ++i)
      chain[i] ^= v[i] ^ v[8 + i];
  }

  /// Loads word i of the block at blocks[lane] into lane `lane` of m[i].
  SOTTO_INLINE static void load(Word* m, const std::uint8_t* const* blocks) {
    for (std::size_t i = 0; i < 16; ++i) {
      std::uint64_t words[kLanes];
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        std::memcpy(&words[lane], blocks[lane] + 8 * i, 8);
      std::memcpy(&m[i], words, sizeof words);
    }
  }

  SOTTO_INLINE static void hash(const std::array<std::uint64_t, 8>& first, const Input* inputs,
                                Bytes32* out) {
    const std::size_t head = inputs[0].head.size();
    const std::size_t total = head + inputs[0].body.size();
    Word chain[8];
    for (std::size_t i = 0; i < 8; ++i)
      chain[i] = Word{} + first[i];
    std::uint8_t edge[kLanes][kBlock];  // copies of blocks that are not contiguous in a body
    const std::uint8_t* blocks[kLanes];
    std::size_t at = 0;
    do {
      const bool inside = at >= head && at + kBlock <= total;
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        blocks[lane] = inside ? inputs[lane].body.data() + (at - head) : edge[lane];
        if (!inside) cut_block(edge[lane], inputs[lane], at);
      }
      Word m[16];
      load(m, blocks);
      at += kBlock;
      compress(chain, m, std::min(at, total), at >= total);
    } while (at < total);
    for (std::size_t i = 0; i < 4; ++i) {
      std::uint64_t words[kLanes];
      std::memcpy(words, &chain[i], sizeof words);
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        std::memcpy(out[lane].data() + 8 * i, &words[lane], 8);
    }
  }

  /// Copies the block at `at` of head and body together, with zeros after their end.
  static void cut_block(std::uint8_t* block, const Input& input, std::size_t at) {
    const std::size_t head = input.head.size();
    std::memset(block, 0, kBlock);
    if (at < head) std::memcpy(block, input.head.data() + at, std::min(kBlock, head - at));
    const std::size_t begin = at < head ? head - at : 0;  // position of the body in the block
    const std::size_t from = at + begin - head;
    const std::size_t bytes = std::min(kBlock - begin, input.body.size() - from);
    if (bytes > 0) std::memcpy(block + begin, input.body.data() + from, bytes);
  }
};

using First = std::array<std::uint64_t, 8>;

/// These functions hash as many inputs as fill whole registers and return their number.
std::size_t hash_baseline(const First&, std::span<const Input>, Bytes32*) {
  return 0;
}

template <std::size_t kLanes>
SOTTO_INLINE std::size_t hash_groups(const First& first, std::span<const Input> inputs,
                                     Bytes32* out) {
  std::size_t i = 0;
  for (; i + kLanes <= inputs.size(); i += kLanes)
    Together<kLanes>::hash(first, inputs.data() + i, out + i);
  return i;
}

SOTTO_AVX2 std::size_t hash_avx2(const First& first, std::span<const Input> inputs, Bytes32* out) {
  return hash_groups<4>(first, inputs, out);
}

SOTTO_AVX512 std::size_t hash_avx512(const First& first, std::span<const Input> inputs,
                                     Bytes32* out) {
  return hash_groups<8>(first, inputs, out);
}

}  // namespace

std::vector<Bytes32> hash_pieces(std::string_view label, BytesView head, BytesView bytes,
                                 std::uint64_t first) {
  SOTTO_CHECK(head.size() + sizeof(std::uint64_t) < kBlock, "a head fits in one block");
  std::vector<Input> pieces;
  for (std::size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    ByteWriter place;
    place.bytes(head);
    place.u64(first + pieces.size());
    pieces.push_back({.head = place.take(),
                      .body = bytes.subspan(at, std::min(kPieceBytes, bytes.size() - at))});
  }
  std::vector<Bytes32> out(pieces.size());
  static const auto together = widest(hash_baseline, hash_avx2, hash_avx512);
  const std::span<const Input> whole(pieces.data(), bytes.size() / kPieceBytes);
  std::size_t done = together(first_chain(label), whole, out.data());
  for (; done < pieces.size(); ++done)
    out[done] = hash(label, {pieces[done].head, pieces[done].body});
  return out;
}

PiecedHasher::PiecedHasher(const Labels& labels, Bytes head)
    : piece_label_(labels.piece), head_(std::move(head)), whole_(labels.whole) {
  whole_.update(head_);
}

void PiecedHasher::hash_now(BytesView pieces) {
  const std::vector<Bytes32> hashes = hash_pieces(piece_label_, head_, pieces, pieces_);
  for (const Bytes32& hash : hashes)
    whole_.update(hash);
  pieces_ += hashes.size();
}

void PiecedHasher::update(BytesView part) {
  if (!begun_.empty()) {
    const std::size_t missing = std::min(kPieceBytes - begun_.size(), part.size());
    begun_.insert(begun_.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(missing));
    part = part.subspan(missing);
    if (begun_.size() < kPieceBytes) return;
    hash_now(begun_);
    begun_.clear();
  }
  const std::size_t whole = part.size() / kPieceBytes * kPieceBytes;
  hash_now(part.first(whole));
  begun_.assign(part.begin() + static_cast<std::ptrdiff_t>(whole), part.end());
}

Bytes32 PiecedHasher::finish() {
  hash_now(begun_);
  return whole_.finish();
}

}  // namespace sotto::crypto

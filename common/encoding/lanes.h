// The lanes of a round (docs/secure-aggregation.md, "Ring and upload"): what is summed, in which
// ring, packed how.
//   lane 0  the update, one b-bit word a value (absent in an evaluation round)
//   lane 1  counters, 64-bit words: count = 1, weight, declared metrics, 4 sentinels = 0
//   lane 2  one check word per chunk of lane 0 (absent with lane 0)
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "common/base/bytes.h"

namespace sotto::codec {

enum class LaneKind : std::uint8_t {
  kUpdate = 1,
  kCounters = 2,
  kCheck = 3
};  // codec_id on the wire

/// 20 bytes in the round header.
struct LaneSpec {
  std::uint8_t word_bits = 32;  // 16, 32 or 64: the ring the words are added in
  std::uint8_t bits = 32;       // b <= word_bits: what is uploaded of each word
  LaneKind kind = LaneKind::kUpdate;
  std::uint64_t length = 0;       // words
  std::uint32_t chunk_words = 0;  // power of two; chunk_words * word_bits / 8 in [16, 2^26]

  [[nodiscard]] std::uint64_t chunk_count() const {
    return (length + chunk_words - 1) / chunk_words;
  }

  /// Every other member function, RingVector and the masks ask for a valid spec; a decoder of
  /// headers asks this first. Length 1..2^40, so that no size computed from a valid spec overflows.
  [[nodiscard]] bool valid() const;
  /// Bytes of the packed lane: sum over chunks of ceil(words * bits / 8).
  [[nodiscard]] std::uint64_t packed_bytes() const;
  [[nodiscard]] std::uint64_t packed_chunk_bytes(std::uint64_t chunk) const;
  [[nodiscard]] std::uint64_t words_in_chunk(std::uint64_t chunk) const;
  bool operator==(const LaneSpec&) const = default;
};

/// The words of one lane. Move-only: big.
class RingVector {
 public:
  /// All zero. The spec must be valid (SOTTO_CHECK).
  explicit RingVector(const LaneSpec& spec);
  RingVector(RingVector&&) noexcept = default;
  RingVector& operator=(RingVector&&) noexcept = default;
  RingVector(const RingVector&) = delete;
  RingVector& operator=(const RingVector&) = delete;
  [[nodiscard]] RingVector clone() const;

  [[nodiscard]] const LaneSpec& spec() const { return spec_; }

  /// The `bits` bits of a word that count.
  [[nodiscard]] std::uint64_t low_mask() const;

  [[nodiscard]] std::uint64_t at(std::uint64_t i) const;  // the low `bits` bits
  void set(std::uint64_t i, std::uint64_t value);         // keeps the low `bits` bits

  using Words = std::variant<std::vector<std::uint16_t>, std::vector<std::uint32_t>,
                             std::vector<std::uint64_t>>;

  [[nodiscard]] const Words& words() const { return words_; }

  [[nodiscard]] Words& words() { return words_; }

  /// this += other, wrapping. Same spec.
  void add(const RingVector& other);
  /// Keeps the low `bits` bits of every word.
  void reduce();

  /// A chunk packed, bit 0 of word 0 first, spare bits zero. `out` has packed_chunk_bytes(chunk).
  void pack_chunk(std::uint64_t chunk, std::span<std::uint8_t> out) const;
  /// The packed lane, chunk after chunk. `out` has spec().packed_bytes().
  void pack_into(std::span<std::uint8_t> out) const;
  [[nodiscard]] Bytes pack() const;
  /// The chunk += a packed one that check_packed_chunk() finds good (SOTTO_CHECK), wrapping.
  void add_packed_chunk(std::uint64_t chunk, BytesView packed);
  /// this += the packed lane, wrapping. An Error, and nothing added, when the length is not exactly
  /// packed_bytes() or a spare bit is set.
  Status add_packed(BytesView packed);

 private:
  LaneSpec spec_;
  Words words_;
};

/// An Error when `packed` is not exactly packed_bytes() long or a spare bit is set.
Status check_packed(const LaneSpec& spec, BytesView packed);
/// The same of one chunk.
Status check_packed_chunk(const LaneSpec& spec, std::uint64_t chunk, BytesView packed);

/// Where a chunk lies in the packed lanes of an update.
struct PackedChunk {
  std::size_t lane = 0;
  std::uint64_t chunk = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// All of them, in their order: what is packed can be read and added without being whole.
std::vector<PackedChunk> packed_chunks(std::span<const LaneSpec> lanes);

/// All lanes of one participant before masking, or of a sum.
struct RingUpdate {
  std::vector<RingVector> lanes;

  static RingUpdate zeros(std::span<const LaneSpec> lanes);
  [[nodiscard]] RingUpdate clone() const;
  [[nodiscard]] std::vector<LaneSpec> specs() const;
  /// The packed lanes, one after the other.
  [[nodiscard]] Bytes pack() const;
  /// this += what pack() made of another one. An Error, and nothing added, when a length does not
  /// fit or a spare bit is set.
  Status add_packed(BytesView packed);
};

/// What RingUpdate::pack() makes, in parts of a chunk each: for sums that are too big to lie in
/// memory twice. `update` outlives it and stays as it is.
class PackedParts {
 public:
  explicit PackedParts(const RingUpdate& update)
      : update_(&update), chunks_(packed_chunks(update.specs())) {}

  /// Good until the next call; empty behind the last one.
  BytesView next();

 private:
  const RingUpdate* update_;
  std::vector<PackedChunk> chunks_;
  std::size_t done_ = 0;
  Bytes part_;
};

}  // namespace sotto::codec

// The lanes of a round (docs/secure-aggregation.md, "Ring and upload"): the vectors that are
// summed, the ring of each and its packing.
//   lane 0  the update, one b-bit word for each value (absent in an evaluation round)
//   lane 1  counters, 64-bit words: count = 1, weight, declared metrics, 4 sentinels = 0
//   lane 2  one check word for each chunk of lane 0 (absent with lane 0)
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "common/base/bytes.h"

namespace sotto::encoding {

enum class LaneKind : std::uint8_t {
  kUpdate = 1,
  kCounters = 2,
  kCheck = 3
};  // codec_id on the wire

/// The specification of a lane: 20 bytes in the round header.
struct LaneSpec {
  std::uint8_t word_bits = 32;  // 16, 32 or 64: the ring in which words are added
  std::uint8_t bits = 32;       // b <= word_bits: the bits of a word that are uploaded
  LaneKind kind = LaneKind::kUpdate;
  std::uint64_t length = 0;       // words
  std::uint32_t chunk_words = 0;  // power of two; chunk_words * word_bits / 8 in [16, 2^26]

  [[nodiscard]] std::uint64_t chunk_count() const {
    return (length + chunk_words - 1) / chunk_words;
  }

  /// Returns whether the spec is valid, which every other member function, RingVector and the masks
  /// require; a decoder of headers calls this first. The length is 1..2^40, so that no size
  /// computed from a valid spec overflows.
  [[nodiscard]] bool valid() const;
  /// Returns the bytes of the packed lane: the sum over chunks of ceil(words * bits / 8).
  [[nodiscard]] std::uint64_t packed_bytes() const;
  [[nodiscard]] std::uint64_t packed_chunk_bytes(std::uint64_t chunk) const;
  [[nodiscard]] std::uint64_t words_in_chunk(std::uint64_t chunk) const;
  bool operator==(const LaneSpec&) const = default;
};

/// A RingVector holds the words of one lane. It is large, and therefore move-only.
class RingVector {
 public:
  /// Makes a vector of zeros. The spec must be valid (SOTTO_CHECK).
  explicit RingVector(const LaneSpec& spec);
  RingVector(RingVector&&) noexcept = default;
  RingVector& operator=(RingVector&&) noexcept = default;
  RingVector(const RingVector&) = delete;
  RingVector& operator=(const RingVector&) = delete;
  [[nodiscard]] RingVector clone() const;

  [[nodiscard]] const LaneSpec& spec() const { return spec_; }

  /// Returns a mask of the low `bits` bits, the part of a word that counts.
  [[nodiscard]] std::uint64_t low_mask() const;

  [[nodiscard]] std::uint64_t at(std::uint64_t i) const;  // returns the low `bits` bits
  void set(std::uint64_t i, std::uint64_t value);         // keeps the low `bits` bits

  using Words = std::variant<std::vector<std::uint16_t>, std::vector<std::uint32_t>,
                             std::vector<std::uint64_t>>;

  [[nodiscard]] const Words& words() const { return words_; }

  [[nodiscard]] Words& words() { return words_; }

  /// Adds `other`, wrapping. Both have the same spec.
  void add(const RingVector& other);
  /// Keeps the low `bits` bits of every word.
  void reduce();

  /// Packs a chunk, bit 0 of word 0 first, spare bits zero. `out` has packed_chunk_bytes(chunk).
  void pack_chunk(std::uint64_t chunk, std::span<std::uint8_t> out) const;
  /// Packs the lane, chunk after chunk. `out` has spec().packed_bytes().
  void pack_into(std::span<std::uint8_t> out) const;
  [[nodiscard]] Bytes pack() const;
  /// Adds a packed chunk that check_packed_chunk() accepts (SOTTO_CHECK), wrapping.
  void add_packed_chunk(std::uint64_t chunk, BytesView packed);
  /// Adds a packed lane, wrapping. Returns an Error, and adds nothing, when the length is not
  /// exactly packed_bytes() or a spare bit is set.
  Status add_packed(BytesView packed);

 private:
  LaneSpec spec_;
  Words words_;
};

/// Returns an Error when `packed` is not exactly packed_bytes() long or a spare bit is set.
Status check_packed(const LaneSpec& spec, BytesView packed);
/// The same for one chunk.
Status check_packed_chunk(const LaneSpec& spec, std::uint64_t chunk, BytesView packed);

/// The position of a chunk in the packed lanes of an update.
struct PackedChunk {
  std::size_t lane = 0;
  std::uint64_t chunk = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// Returns all chunks in their order, so that a packed update can be read and added in parts.
std::vector<PackedChunk> packed_chunks(std::span<const LaneSpec> lanes);

/// A RingUpdate holds all lanes of one participant before masking, or of a sum.
struct RingUpdate {
  std::vector<RingVector> lanes;

  static RingUpdate zeros(std::span<const LaneSpec> lanes);
  [[nodiscard]] RingUpdate clone() const;
  [[nodiscard]] std::vector<LaneSpec> specs() const;
  /// Returns the packed lanes, one after the other.
  [[nodiscard]] Bytes pack() const;
  /// Adds the result of pack() of another update. Returns an Error, and adds nothing, when a length
  /// does not fit or a spare bit is set.
  Status add_packed(BytesView packed);
};

/// PackedParts returns the result of RingUpdate::pack() in parts of a chunk each, for sums that are
/// too large to be in memory twice. `update` outlives it and is not changed.
class PackedParts {
 public:
  explicit PackedParts(const RingUpdate& update)
      : update_(&update), chunks_(packed_chunks(update.specs())) {}

  /// Returns the next part, valid until the next call; empty after the last one.
  BytesView next();

 private:
  const RingUpdate* update_;
  std::vector<PackedChunk> chunks_;
  std::size_t done_ = 0;
  Bytes part_;
};

}  // namespace sotto::encoding

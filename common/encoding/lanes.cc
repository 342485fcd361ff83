#include "common/encoding/lanes.h"

#include <bit>

#include "common/base/check.h"
#include "common/base/large_pages.h"
#include "common/encoding/packing.h"

namespace sotto::encoding {

namespace {

constexpr std::uint64_t kMaxLength = std::uint64_t{1} << 40;
constexpr std::uint64_t kMinChunkBytes = 16;
constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{1} << 26;

RingVector::Words zero_words(const LaneSpec& spec) {
  if (spec.word_bits == 16) return large_vector<std::uint16_t>(spec.length);
  if (spec.word_bits == 32) return large_vector<std::uint32_t>(spec.length);
  return large_vector<std::uint64_t>(spec.length);
}

BytesView packed_chunk(const LaneSpec& spec, BytesView packed, std::uint64_t chunk) {
  return packed.subspan(chunk * packed_size(spec.chunk_words, spec.bits),
                        spec.packed_chunk_bytes(chunk));
}

bool spare_bits_zero(std::uint64_t words, unsigned bits, std::span<const std::uint8_t> packed) {
  const auto used = static_cast<unsigned>(words * bits % 8);  // bits of the last byte; 0: all of
                                                              // them
  return used == 0 || packed.back() >> used == 0;
}

}  // namespace

bool LaneSpec::valid() const {
  const bool ring = word_bits == 16 || word_bits == 32 || word_bits == 64;
  const bool known = kind >= LaneKind::kUpdate && kind <= LaneKind::kCheck;
  const std::uint64_t chunk_bytes = std::uint64_t{chunk_words} * word_bits / 8;
  return ring && known && bits >= 1 && bits <= word_bits && length >= 1 && length <= kMaxLength &&
         std::has_single_bit(chunk_words) && chunk_bytes >= kMinChunkBytes &&
         chunk_bytes <= kMaxChunkBytes;
}

std::uint64_t LaneSpec::words_in_chunk(std::uint64_t chunk) const {
  SOTTO_CHECK(chunk < chunk_count(), "chunk beyond the lane");
  return std::min<std::uint64_t>(chunk_words, length - chunk * chunk_words);
}

std::uint64_t LaneSpec::packed_chunk_bytes(std::uint64_t chunk) const {
  return packed_size(words_in_chunk(chunk), bits);
}

std::uint64_t LaneSpec::packed_bytes() const {
  const std::uint64_t last = chunk_count() - 1;
  return last * packed_size(chunk_words, bits) + packed_chunk_bytes(last);
}

RingVector::RingVector(const LaneSpec& spec) : spec_(spec) {
  SOTTO_CHECK(spec.valid(), "ring vector of an invalid lane");
  words_ = zero_words(spec);
}

std::uint64_t RingVector::low_mask() const {
  return spec_.bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << spec_.bits) - 1;
}

RingVector RingVector::clone() const {
  RingVector copy(spec_);
  copy.words_ = words_;
  return copy;
}

std::uint64_t RingVector::at(std::uint64_t i) const {
  SOTTO_CHECK(i < spec_.length, "word beyond the lane");
  return std::visit([&](const auto& words) { return std::uint64_t{words[i]}; }, words_) &
         low_mask();
}

void RingVector::set(std::uint64_t i, std::uint64_t value) {
  SOTTO_CHECK(i < spec_.length, "word beyond the lane");
  const std::uint64_t kept = value & low_mask();
  std::visit([&](auto& words) { words[i] = static_cast<std::decay_t<decltype(words[i])>>(kept); },
             words_);
}

void RingVector::add(const RingVector& other) {
  SOTTO_CHECK(spec_ == other.spec_, "sum of two different lanes");
  std::visit(
      [&](auto& words) {
        using Vector = std::decay_t<decltype(words)>;
        using Word = typename Vector::value_type;
        const auto& terms = std::get<Vector>(other.words_);
        for (std::size_t i = 0; i < words.size(); ++i)
          words[i] = static_cast<Word>(words[i] + terms[i]);
      },
      words_);
}

void RingVector::reduce() {
  std::visit(
      [&](auto& words) {
        using Word = typename std::decay_t<decltype(words)>::value_type;
        const auto mask = static_cast<Word>(low_mask());
        for (Word& word : words)
          word = static_cast<Word>(word & mask);
      },
      words_);
}

void RingVector::pack_chunk(std::uint64_t chunk, std::span<std::uint8_t> out) const {
  SOTTO_CHECK(out.size() == spec_.packed_chunk_bytes(chunk), "room for exactly the packed chunk");
  std::visit(
      [&](const auto& words) {
        using Word = typename std::decay_t<decltype(words)>::value_type;
        pack_words(std::span<const Word>(words).subspan(chunk * spec_.chunk_words,
                                                        spec_.words_in_chunk(chunk)),
                   spec_.bits, out);
      },
      words_);
}

void RingVector::pack_into(std::span<std::uint8_t> out) const {
  SOTTO_CHECK(out.size() == spec_.packed_bytes(), "room for exactly the packed lane");
  for (std::uint64_t chunk = 0; chunk < spec_.chunk_count(); ++chunk) {
    const std::size_t bytes = spec_.packed_chunk_bytes(chunk);
    pack_chunk(chunk, out.first(bytes));
    out = out.subspan(bytes);
  }
}

Bytes RingVector::pack() const {
  Bytes out = large_vector<std::uint8_t>(spec_.packed_bytes());
  pack_into(out);
  return out;
}

Status check_packed_chunk(const LaneSpec& spec, std::uint64_t chunk, BytesView packed) {
  if (packed.size() != spec.packed_chunk_bytes(chunk))
    return Error{"chunk " + std::to_string(chunk) + " of a packed lane has " +
                 std::to_string(packed.size()) + " bytes"};
  if (!spare_bits_zero(spec.words_in_chunk(chunk), spec.bits, packed))
    return Error{"spare bits behind chunk " + std::to_string(chunk) +
                 " of a packed lane are not zero"};
  return {};
}

Status check_packed(const LaneSpec& spec, BytesView packed) {
  SOTTO_CHECK(spec.valid(), "packed words of an invalid lane");
  if (packed.size() != spec.packed_bytes())
    return Error{"a packed lane has " + std::to_string(packed.size()) + " bytes, expected " +
                 std::to_string(spec.packed_bytes())};
  for (std::uint64_t chunk = 0; chunk < spec.chunk_count(); ++chunk)
    SOTTO_TRY(check_packed_chunk(spec, chunk, packed_chunk(spec, packed, chunk)));
  return {};
}

std::vector<PackedChunk> packed_chunks(std::span<const LaneSpec> lanes) {
  std::vector<PackedChunk> out;
  std::uint64_t offset = 0;
  for (std::size_t lane = 0; lane < lanes.size(); ++lane)
    for (std::uint64_t chunk = 0; chunk < lanes[lane].chunk_count(); ++chunk) {
      const std::uint64_t bytes = lanes[lane].packed_chunk_bytes(chunk);
      out.push_back({.lane = lane, .chunk = chunk, .offset = offset, .bytes = bytes});
      offset += bytes;
    }
  return out;
}

void RingVector::add_packed_chunk(std::uint64_t chunk, BytesView packed) {
  SOTTO_CHECK(check_packed_chunk(spec_, chunk, packed).ok(), "a packed chunk was checked");
  std::visit(
      [&](auto& words) {
        using Word = typename std::decay_t<decltype(words)>::value_type;
        add_packed_words(
            packed, spec_.bits,
            std::span<Word>(words).subspan(chunk * spec_.chunk_words, spec_.words_in_chunk(chunk)));
      },
      words_);
}

Status RingVector::add_packed(BytesView packed) {
  SOTTO_TRY(check_packed(spec_, packed));
  for (std::uint64_t chunk = 0; chunk < spec_.chunk_count(); ++chunk)
    add_packed_chunk(chunk, packed_chunk(spec_, packed, chunk));
  return {};
}

RingUpdate RingUpdate::zeros(std::span<const LaneSpec> lanes) {
  RingUpdate out;
  for (const LaneSpec& lane : lanes)
    out.lanes.emplace_back(lane);
  return out;
}

RingUpdate RingUpdate::clone() const {
  RingUpdate copy;
  for (const RingVector& lane : lanes)
    copy.lanes.push_back(lane.clone());
  return copy;
}

std::vector<LaneSpec> RingUpdate::specs() const {
  std::vector<LaneSpec> out;
  for (const RingVector& lane : lanes)
    out.push_back(lane.spec());
  return out;
}

Bytes RingUpdate::pack() const {
  std::uint64_t total = 0;
  for (const RingVector& lane : lanes)
    total += lane.spec().packed_bytes();
  Bytes out = large_vector<std::uint8_t>(total);
  std::span<std::uint8_t> rest(out);
  for (const RingVector& lane : lanes) {
    lane.pack_into(rest.first(lane.spec().packed_bytes()));
    rest = rest.subspan(lane.spec().packed_bytes());
  }
  return out;
}

Status RingUpdate::add_packed(BytesView packed) {
  std::vector<BytesView> parts;
  for (const RingVector& lane : lanes) {
    const std::uint64_t bytes = std::min<std::uint64_t>(lane.spec().packed_bytes(), packed.size());
    parts.push_back(packed.first(bytes));
    packed = packed.subspan(bytes);
    SOTTO_TRY(check_packed(lane.spec(), parts.back()));
  }
  if (!packed.empty()) return Error{"bytes behind the last packed lane"};
  for (std::size_t i = 0; i < lanes.size(); ++i)
    SOTTO_CHECK(lanes[i].add_packed(parts[i]).ok(), "checked above");
  return {};
}

BytesView PackedParts::next() {
  if (done_ == chunks_.size()) return {};
  const PackedChunk& chunk = chunks_[done_++];
  part_.resize(chunk.bytes);
  update_->lanes[chunk.lane].pack_chunk(chunk.chunk, part_);
  return part_;
}

}  // namespace sotto::encoding

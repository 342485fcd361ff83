#include "common/codec/lanes.h"

#include <bit>
#include <cstring>

#include "common/base/check.h"

// Packing copies 64-bit words to and from byte strings as they lie in memory.
static_assert(std::endian::native == std::endian::little);

namespace sotto::codec {

namespace {

constexpr std::uint64_t kMaxLength = std::uint64_t{1} << 40;
constexpr std::uint64_t kMinChunkBytes = 16;
constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{1} << 26;

std::uint64_t low_mask(unsigned bits) {
  return bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

std::uint64_t packed_size(std::uint64_t words, unsigned bits) {
  return (words * bits + 7) / 8;
}

/// Word i goes to bits i*b .. i*b+b-1, through one 64-bit register. No branch depends on a value.
template <class Word>
void pack_words(std::span<const Word> words, unsigned bits, std::span<std::uint8_t> out) {
  if (bits == 8 * sizeof(Word)) {
    std::memcpy(out.data(), words.data(), out.size());
    return;
  }
  const std::uint64_t mask = low_mask(bits);
  std::uint64_t pending = 0;
  unsigned filled = 0;  // bits of `pending` in use, always < 64 here
  std::uint8_t* to = out.data();
  for (const Word word : words) {
    const std::uint64_t value = word & mask;
    pending |= value << filled;
    filled += bits;
    if (filled >= 64) {
      std::memcpy(to, &pending, 8);
      to += 8;
      filled -= 64;
      pending = filled == 0 ? 0 : value >> (bits - filled);
    }
  }
  std::memcpy(to, &pending, (filled + 7) / 8);
}

/// `in` holds exactly packed_size(words.size(), bits) bytes.
template <class Word>
void unpack_words(std::span<const std::uint8_t> in, unsigned bits, std::span<Word> words) {
  if (bits == 8 * sizeof(Word)) {
    std::memcpy(words.data(), in.data(), in.size());
    return;
  }
  const std::uint64_t mask = low_mask(bits);
  std::uint64_t pending = 0;
  unsigned filled = 0;
  std::size_t at = 0;
  for (Word& word : words) {
    std::uint64_t value = pending;
    if (filled < bits) {
      std::uint64_t next = 0;
      const std::size_t take = std::min<std::size_t>(8, in.size() - at);
      std::memcpy(&next, in.data() + at, take);
      at += take;
      value |= next << filled;
      const unsigned used = bits - filled;  // 1..63: bits of `next` that belong to this word
      pending = next >> used;
      filled = 64 - used;
    } else {
      pending >>= bits;
      filled -= bits;
    }
    word = static_cast<Word>(value & mask);
  }
}

template <class Word>
std::vector<Word> zeros(std::uint64_t length) {
  return std::vector<Word>(length);
}

RingVector::Words zero_words(const LaneSpec& spec) {
  if (spec.word_bits == 16) return zeros<std::uint16_t>(spec.length);
  if (spec.word_bits == 32) return zeros<std::uint32_t>(spec.length);
  return zeros<std::uint64_t>(spec.length);
}

bool spare_bits_zero(std::uint64_t words, unsigned bits, std::span<const std::uint8_t> packed) {
  const auto used = static_cast<unsigned>(words * bits % 8);  // of the last byte; 0 = all of it
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

RingVector RingVector::clone() const {
  RingVector copy(spec_);
  copy.words_ = words_;
  return copy;
}

std::uint64_t RingVector::at(std::uint64_t i) const {
  SOTTO_CHECK(i < spec_.length, "word beyond the lane");
  return std::visit([&](const auto& words) { return std::uint64_t{words[i]}; }, words_) &
         low_mask(spec_.bits);
}

void RingVector::set(std::uint64_t i, std::uint64_t value) {
  SOTTO_CHECK(i < spec_.length, "word beyond the lane");
  const std::uint64_t kept = value & low_mask(spec_.bits);
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
        const auto mask = static_cast<Word>(low_mask(spec_.bits));
        for (Word& word : words)
          word = static_cast<Word>(word & mask);
      },
      words_);
}

Bytes RingVector::pack_chunk(std::uint64_t chunk) const {
  Bytes out(spec_.packed_chunk_bytes(chunk));
  std::visit(
      [&](const auto& words) {
        using Word = typename std::decay_t<decltype(words)>::value_type;
        const auto part = std::span<const Word>(words).subspan(chunk * spec_.chunk_words,
                                                               spec_.words_in_chunk(chunk));
        pack_words(part, spec_.bits, std::span(out));
      },
      words_);
  return out;
}

void RingVector::pack(ByteWriter& out) const {
  out.reserve(out.size() + spec_.packed_bytes());
  for (std::uint64_t chunk = 0; chunk < spec_.chunk_count(); ++chunk)
    out.bytes(pack_chunk(chunk));
}

Result<RingVector> RingVector::unpack(const LaneSpec& spec, BytesView packed) {
  SOTTO_CHECK(spec.valid(), "unpack into an invalid lane");
  if (packed.size() != spec.packed_bytes())
    return Error{"a packed lane has " + std::to_string(packed.size()) + " bytes, expected " +
                 std::to_string(spec.packed_bytes())};
  RingVector out(spec);
  std::size_t at = 0;
  for (std::uint64_t chunk = 0; chunk < spec.chunk_count(); ++chunk) {
    const std::uint64_t count = spec.words_in_chunk(chunk);
    const BytesView part = packed.subspan(at, spec.packed_chunk_bytes(chunk));
    at += part.size();
    if (!spare_bits_zero(count, spec.bits, part))
      return Error{"spare bits behind chunk " + std::to_string(chunk) +
                   " of a packed lane are not zero"};
    std::visit(
        [&](auto& words) {
          using Word = typename std::decay_t<decltype(words)>::value_type;
          unpack_words(part, spec.bits,
                       std::span<Word>(words).subspan(chunk * spec.chunk_words, count));
        },
        out.words_);
  }
  return out;
}

}  // namespace sotto::codec

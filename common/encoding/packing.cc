#include "common/encoding/packing.h"

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "common/base/check.h"

namespace sotto::encoding {
namespace {

static_assert(std::endian::native == std::endian::little, "packed words are little-endian");

// Eight words of b bits are exactly b bytes. Where the compiler knows b, every shift is a constant,
// and no bit buffer with its branches remains. So there is one loop for each b.
constexpr std::size_t kGroup = 8;

template <unsigned kBits>
constexpr std::uint64_t kMask = kBits == 64 ? ~std::uint64_t{0}
                                            : (std::uint64_t{1} << kBits % 64) - 1;

template <unsigned kBits>
using Group = std::array<std::uint64_t, (kBits + 7) / 8>;

template <unsigned kBits, class Word>
void pack_groups(const Word* words, std::size_t groups, std::uint8_t* out) {
  for (std::size_t g = 0; g < groups; ++g, words += kGroup, out += kBits) {
    Group<kBits> parts{};
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGroup; ++i) {
      const std::uint64_t word = words[i] & kMask<kBits>;
      const std::size_t part = i * kBits / 64;
      const std::size_t shift = i * kBits % 64;
      parts[part] |= word << shift;
      if (shift + kBits > 64) parts[part + 1] |= word >> (64 - shift) % 64;
    }
    std::memcpy(out, parts.data(), kBits);
  }
}

template <unsigned kBits, class Word>
void add_groups(const std::uint8_t* in, std::size_t groups, Word* words) {
  for (std::size_t g = 0; g < groups; ++g, words += kGroup, in += kBits) {
    Group<kBits> parts{};
    std::memcpy(parts.data(), in, kBits);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kGroup; ++i) {
      const std::size_t part = i * kBits / 64;
      const std::size_t shift = i * kBits % 64;
      std::uint64_t word = parts[part] >> shift;
      if (shift + kBits > 64) word |= parts[part + 1] << (64 - shift) % 64;
      words[i] = static_cast<Word>(words[i] + (word & kMask<kBits>));
    }
  }
}

template <class Word>
using PackGroups = void (*)(const Word*, std::size_t, std::uint8_t*);
template <class Word>
using AddGroups = void (*)(const std::uint8_t*, std::size_t, Word*);

template <class Word>
constexpr unsigned kWidth = std::numeric_limits<Word>::digits;

/// The loops by bits - 1.
template <class Word, unsigned... kBitsLess1>
constexpr std::array<PackGroups<Word>, kWidth<Word>> pack_table(
    std::integer_sequence<unsigned, kBitsLess1...>) {
  return {pack_groups<kBitsLess1 + 1, Word>...};
}

template <class Word, unsigned... kBitsLess1>
constexpr std::array<AddGroups<Word>, kWidth<Word>> add_table(
    std::integer_sequence<unsigned, kBitsLess1...>) {
  return {add_groups<kBitsLess1 + 1, Word>...};
}

template <class Word>
constexpr auto kPack = pack_table<Word>(std::make_integer_sequence<unsigned, kWidth<Word>>{});
template <class Word>
constexpr auto kAdd = add_table<Word>(std::make_integer_sequence<unsigned, kWidth<Word>>{});

template <class Word>
void pack(std::span<const Word> words, unsigned bits, std::span<std::uint8_t> out) {
  SOTTO_CHECK(bits >= 1 && bits <= kWidth<Word>, "bits fit the word");
  SOTTO_CHECK(out.size() == packed_size(words.size(), bits), "room for the packed words");
  const auto pack_some = kPack<Word>[bits - 1];
  const std::size_t groups = words.size() / kGroup;
  pack_some(words.data(), groups, out.data());
  const auto rest = words.subspan(groups * kGroup);
  const auto rest_out = out.subspan(groups * bits);
  if (rest.empty()) return;
  std::array<Word, kGroup> last{};
  std::array<std::uint8_t, 64> packed{};
  std::memcpy(last.data(), rest.data(), rest.size_bytes());
  pack_some(last.data(), 1, packed.data());
  std::memcpy(rest_out.data(), packed.data(), rest_out.size());
}

template <class Word>
void add_packed(BytesView in, unsigned bits, std::span<Word> words) {
  SOTTO_CHECK(bits >= 1 && bits <= kWidth<Word>, "bits fit the word");
  SOTTO_CHECK(in.size() == packed_size(words.size(), bits), "exactly the packed words");
  const auto add_some = kAdd<Word>[bits - 1];
  const std::size_t groups = words.size() / kGroup;
  add_some(in.data(), groups, words.data());
  const auto rest = words.subspan(groups * kGroup);
  if (rest.empty()) return;
  std::array<Word, kGroup> last{};
  std::array<std::uint8_t, 64> packed{};
  const BytesView rest_in = in.subspan(groups * bits);
  std::memcpy(packed.data(), rest_in.data(), rest_in.size());
  std::memcpy(last.data(), rest.data(), rest.size_bytes());
  add_some(packed.data(), 1, last.data());
  std::memcpy(rest.data(), last.data(), rest.size_bytes());
}

}  // namespace

void pack_words(std::span<const std::uint16_t> words, unsigned bits, std::span<std::uint8_t> out) {
  pack(words, bits, out);
}

void pack_words(std::span<const std::uint32_t> words, unsigned bits, std::span<std::uint8_t> out) {
  pack(words, bits, out);
}

void pack_words(std::span<const std::uint64_t> words, unsigned bits, std::span<std::uint8_t> out) {
  pack(words, bits, out);
}

void add_packed_words(BytesView in, unsigned bits, std::span<std::uint16_t> words) {
  add_packed(in, bits, words);
}

void add_packed_words(BytesView in, unsigned bits, std::span<std::uint32_t> words) {
  add_packed(in, bits, words);
}

void add_packed_words(BytesView in, unsigned bits, std::span<std::uint64_t> words) {
  add_packed(in, bits, words);
}

}  // namespace sotto::encoding

#include "common/crypto/mask_add.h"

#include <bit>
#include <cstring>

#include "common/base/check.h"
#include "common/base/vector_targets.h"

namespace sotto::crypto {
namespace {

static_assert(std::endian::native == std::endian::little, "masks are added as little-endian words");

template <class Word>
SOTTO_INLINE Word combined(Word a, Word b, MaskSign sign) {
  return static_cast<Word>(sign == MaskSign::kAdd ? a + b : a - b);
}

/// Works on blocks of a constant 64 bytes, so that every compiler turns the inner loop into vector
/// instructions at -O2, of the width of the function that it is inlined into.
template <class Word, MaskSign kSign>
SOTTO_INLINE void add_loop(Word* acc, const std::uint8_t* stream, std::size_t words) {
  constexpr std::size_t kBlock = 64 / sizeof(Word);
  std::size_t i = 0;
  for (; i + kBlock <= words; i += kBlock) {
    Word a[kBlock];
    Word b[kBlock];
    std::memcpy(a, acc + i, sizeof a);
    std::memcpy(b, stream + i * sizeof(Word), sizeof b);
    for (std::size_t j = 0; j < kBlock; ++j)
      a[j] = combined(a[j], b[j], kSign);
    std::memcpy(acc + i, a, sizeof a);
  }
  for (; i < words; ++i) {
    Word b = 0;
    std::memcpy(&b, stream + i * sizeof(Word), sizeof b);
    acc[i] = combined(acc[i], b, kSign);
  }
}

template <class Word>
SOTTO_INLINE void add_signed(Word* acc, const std::uint8_t* stream, std::size_t words,
                             MaskSign sign) {
  if (sign == MaskSign::kAdd)
    add_loop<Word, MaskSign::kAdd>(acc, stream, words);
  else
    add_loop<Word, MaskSign::kSubtract>(acc, stream, words);
}

template <class Word>
void add_baseline(Word* acc, const std::uint8_t* stream, std::size_t words, MaskSign sign) {
  add_signed(acc, stream, words, sign);
}

template <class Word>
SOTTO_AVX2 void add_avx2(Word* acc, const std::uint8_t* stream, std::size_t words, MaskSign sign) {
  add_signed(acc, stream, words, sign);
}

template <class Word>
SOTTO_AVX512 void add_avx512(Word* acc, const std::uint8_t* stream, std::size_t words,
                             MaskSign sign) {
  add_signed(acc, stream, words, sign);
}

template <class Word>
void dispatch(std::span<Word> acc, std::span<const std::uint8_t> stream, MaskSign sign) {
  SOTTO_CHECK(stream.size() >= acc.size_bytes(), "too little keystream");
  static const auto add = widest(add_baseline<Word>, add_avx2<Word>, add_avx512<Word>);
  add(acc.data(), stream.data(), acc.size(), sign);
}

}  // namespace

void add_words(std::span<std::uint16_t> acc, std::span<const std::uint8_t> stream, MaskSign sign) {
  dispatch(acc, stream, sign);
}

void add_words(std::span<std::uint32_t> acc, std::span<const std::uint8_t> stream, MaskSign sign) {
  dispatch(acc, stream, sign);
}

void add_words(std::span<std::uint64_t> acc, std::span<const std::uint8_t> stream, MaskSign sign) {
  dispatch(acc, stream, sign);
}

}  // namespace sotto::crypto

#include "common/crypto/mask_add.h"

#include <bit>
#include <cstring>

#include "common/base/check.h"

// The same loop is compiled for three register widths and chosen once at run time, so that no
// global -march is needed. Function pointers and not target_clones: the resolvers of the latter run
// before the sanitizers have started.
#if defined(__x86_64__)
#define SOTTO_TARGET(features) __attribute__((target(features)))
#endif
#define SOTTO_INLINE __attribute__((always_inline)) inline

namespace sotto::crypto {
namespace {

static_assert(std::endian::native == std::endian::little, "masks are added as little-endian words");

template <class Word>
SOTTO_INLINE Word combined(Word a, Word b, MaskSign sign) {
  return static_cast<Word>(sign == MaskSign::kAdd ? a + b : a - b);
}

/// Blocks of a constant 64 bytes: every compiler turns the inner loop into vector instructions at
/// -O2, at the width of the function that it is inlined into.
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
using AddFunction = void (*)(Word*, const std::uint8_t*, std::size_t, MaskSign);

template <class Word>
void add_baseline(Word* acc, const std::uint8_t* stream, std::size_t words, MaskSign sign) {
  add_signed(acc, stream, words, sign);
}

#if defined(SOTTO_TARGET)
template <class Word>
SOTTO_TARGET("avx2")
void add_avx2(Word* acc, const std::uint8_t* stream, std::size_t words, MaskSign sign) {
  add_signed(acc, stream, words, sign);
}

template <class Word>
SOTTO_TARGET("avx512f,avx512bw,prefer-vector-width=512")
void add_avx512(Word* acc, const std::uint8_t* stream, std::size_t words, MaskSign sign) {
  add_signed(acc, stream, words, sign);
}
#endif

template <class Word>
AddFunction<Word> choose() {
#if defined(SOTTO_TARGET)
  if (__builtin_cpu_supports("avx512bw")) return add_avx512<Word>;
  if (__builtin_cpu_supports("avx2")) return add_avx2<Word>;
#endif
  return add_baseline<Word>;
}

template <class Word>
void dispatch(std::span<Word> acc, std::span<const std::uint8_t> stream, MaskSign sign) {
  SOTTO_CHECK(stream.size() >= acc.size_bytes(), "too little keystream");
  static const AddFunction<Word> add = choose<Word>();
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

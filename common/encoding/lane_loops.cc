#include "common/encoding/lane_loops.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "common/base/vector_targets.h"

namespace sotto::encoding {
namespace {

constexpr std::size_t kBlock = 16;

/// Encodes kBlock values. A value is rounded up when its coin is below the fraction. The coin is
/// read as a signed integer, and the fraction is moved by a half to match, because vector units
/// convert signed integers.
template <class Word>
SOTTO_INLINE void round_block(const OffsetCode& code, const float* __restrict values,
                              const std::uint32_t* __restrict coins, Word* __restrict words) {
  for (std::size_t i = 0; i < kBlock; ++i) {
    double scaled = static_cast<double>(values[i]) * code.factor;
    scaled = scaled < -code.limit ? -code.limit : scaled;
    scaled = scaled > code.limit ? code.limit : scaled;
    scaled += code.limit + 1.0;
    const auto low = static_cast<std::int32_t>(scaled);  // scaled > 0: truncation is floor
    const double fraction = scaled - static_cast<double>(low);
    const auto coin = static_cast<double>(static_cast<std::int32_t>(coins[i] ^ 0x80000000U));
    const std::int32_t up = coin < (fraction - 0.5) * 4294967296.0 ? 1 : 0;
    words[i] = static_cast<Word>(static_cast<std::uint32_t>(low + up));
  }
}

template <class Word>
SOTTO_INLINE void round_loop(const OffsetCode& code, const float* values,
                             const std::uint32_t* coins, Word* words, std::size_t length) {
  std::size_t i = 0;
  for (; i + kBlock <= length; i += kBlock)
    round_block(code, values + i, coins + i, words + i);
  if (i == length) return;
  std::array<float, kBlock> last_values{};
  std::array<std::uint32_t, kBlock> last_coins{};
  std::array<Word, kBlock> last_words{};
  std::copy(values + i, values + length, last_values.begin());
  std::copy(coins + i, coins + length, last_coins.begin());
  round_block(code, last_values.data(), last_coins.data(), last_words.data());
  std::copy(last_words.begin(), last_words.begin() + static_cast<std::ptrdiff_t>(length - i),
            words + i);
}

template <class Word>
SOTTO_INLINE Word sum_loop(const Word* weights, const Word* words, std::size_t length) {
  // Words of 16 bits would be multiplied as int.
  using Wide = std::conditional_t<sizeof(Word) < 4, std::uint32_t, Word>;
  std::array<Wide, kBlock> sums{};
  std::size_t i = 0;
  for (; i + kBlock <= length; i += kBlock)
    for (std::size_t j = 0; j < kBlock; ++j)
      sums[j] += static_cast<Wide>(weights[i + j] | 1U) * words[i + j];
  Wide sum = 0;
  for (; i < length; ++i)
    sum += static_cast<Wide>(weights[i] | 1U) * words[i];
  for (const Wide part : sums)
    sum += part;
  return static_cast<Word>(sum);
}

template <class Word>
void round_baseline(const OffsetCode& code, const float* values, const std::uint32_t* coins,
                    Word* words, std::size_t length) {
  round_loop(code, values, coins, words, length);
}

template <class Word>
SOTTO_AVX2 void round_avx2(const OffsetCode& code, const float* values, const std::uint32_t* coins,
                           Word* words, std::size_t length) {
  round_loop(code, values, coins, words, length);
}

template <class Word>
SOTTO_AVX512 void round_avx512(const OffsetCode& code, const float* values,
                               const std::uint32_t* coins, Word* words, std::size_t length) {
  round_loop(code, values, coins, words, length);
}

template <class Word>
Word sum_baseline(const Word* weights, const Word* words, std::size_t length) {
  return sum_loop(weights, words, length);
}

template <class Word>
SOTTO_AVX2 Word sum_avx2(const Word* weights, const Word* words, std::size_t length) {
  return sum_loop(weights, words, length);
}

template <class Word>
SOTTO_AVX512 Word sum_avx512(const Word* weights, const Word* words, std::size_t length) {
  return sum_loop(weights, words, length);
}

template <class Word>
void round_all(const OffsetCode& code, std::span<const float> values,
               std::span<const std::uint32_t> coins, std::span<Word> words) {
  SOTTO_CHECK(coins.size() == values.size() && words.size() == values.size(),
              "a coin and a code for each value");
  static const auto loop = widest(round_baseline<Word>, round_avx2<Word>, round_avx512<Word>);
  loop(code, values.data(), coins.data(), words.data(), values.size());
}

template <class Word>
Word sum_all(std::span<const Word> weights, std::span<const Word> words) {
  SOTTO_CHECK(weights.size() == words.size(), "a weight for each word");
  static const auto loop = widest(sum_baseline<Word>, sum_avx2<Word>, sum_avx512<Word>);
  return loop(weights.data(), words.data(), words.size());
}

}  // namespace

void round_to_codes(const OffsetCode& code, std::span<const float> values,
                    std::span<const std::uint32_t> coins, std::span<std::uint16_t> words) {
  round_all(code, values, coins, words);
}

void round_to_codes(const OffsetCode& code, std::span<const float> values,
                    std::span<const std::uint32_t> coins, std::span<std::uint32_t> words) {
  round_all(code, values, coins, words);
}

void round_to_codes(const OffsetCode& code, std::span<const float> values,
                    std::span<const std::uint32_t> coins, std::span<std::uint64_t> words) {
  round_all(code, values, coins, words);
}

std::uint16_t odd_weighted_sum(std::span<const std::uint16_t> weights,
                               std::span<const std::uint16_t> words) {
  return sum_all(weights, words);
}

std::uint32_t odd_weighted_sum(std::span<const std::uint32_t> weights,
                               std::span<const std::uint32_t> words) {
  return sum_all(weights, words);
}

std::uint64_t odd_weighted_sum(std::span<const std::uint64_t> weights,
                               std::span<const std::uint64_t> words) {
  return sum_all(weights, words);
}

}  // namespace sotto::encoding

// What a masked vector looks like to somebody who has not the keys: uniform, whatever the input is.
// The streams are fixed by their keys, so these tests give the same answer at every run; the bounds
// are those of p in [1e-6, 1 - 1e-6].
#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "common/secagg/shared/masking.h"

namespace sotto::secagg {
namespace {

constexpr std::uint64_t kWords = std::uint64_t{1} << 24;
constexpr double kZ = 4.75;  // two-sided p of 2e-6

std::vector<MaskSeed> seeds_from(std::uint64_t number) {
  crypto::StreamRandom random(number);
  std::vector<MaskSeed> out;
  out.push_back({MaskSeed::Kind::kSelf, crypto::Secret32::random(random), MemberId{7},
                 crypto::MaskSign::kAdd});
  out.push_back({MaskSeed::Kind::kPair, crypto::Secret32::random(random), MemberId{},
                 crypto::MaskSign::kSubtract});
  return out;
}

/// A vector of the same word everywhere, masked.
encoding::RingVector masked(std::uint64_t word, std::uint8_t bits, std::uint64_t seed,
                            const Bytes32& h = {1}) {
  const encoding::LaneSpec spec{.word_bits = 32,
                                .bits = bits,
                                .kind = encoding::LaneKind::kUpdate,
                                .length = kWords,
                                .chunk_words = 65536};
  std::vector<encoding::RingVector> lanes;
  lanes.emplace_back(spec);
  for (auto& w : std::get<std::vector<std::uint32_t>>(lanes[0].words()))
    w = static_cast<std::uint32_t>(word);
  apply_masks(lanes, h, seeds_from(seed), 1);
  return std::move(lanes[0]);
}

const std::vector<std::uint32_t>& words_of(const encoding::RingVector& lane) {
  return std::get<std::vector<std::uint32_t>>(lane.words());
}

/// Wilson and Hilferty: chi-square with many degrees of freedom as a normal deviate.
double deviate(double chi_square, double degrees) {
  const double third = std::cbrt(chi_square / degrees);
  return (third - (1 - 2 / (9 * degrees))) / std::sqrt(2 / (9 * degrees));
}

void expect_uniform(const std::vector<std::uint32_t>& words, unsigned bits) {
  const double n = static_cast<double>(words.size());
  std::vector<double> low(256), high(256);
  std::vector<double> ones(bits);
  std::vector<double> runs(bits);
  double serial = 0;
  const double scale = std::ldexp(1.0, -static_cast<int>(bits));
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint32_t word = words[i];
    ++low[word & 0xff];
    ++high[word >> (bits - 8)];
    const std::uint32_t change = i == 0 ? 0 : word ^ words[i - 1];
    for (unsigned bit = 0; bit < bits; ++bit) {
      ones[bit] += word >> bit & 1;
      runs[bit] += change >> bit & 1;
    }
    if (i > 0) serial += (word * scale - 0.5) * (words[i - 1] * scale - 0.5);
  }
  for (const auto& counts : {low, high}) {
    double chi_square = 0;
    for (const double count : counts)
      chi_square += (count - n / 256) * (count - n / 256) / (n / 256);
    EXPECT_LT(std::abs(deviate(chi_square, 255)), kZ);
  }
  for (unsigned bit = 0; bit < bits; ++bit) {
    EXPECT_LT(std::abs(ones[bit] - n / 2) / std::sqrt(n / 4), kZ + 1) << "bit " << bit;
    EXPECT_LT(std::abs(runs[bit] - n / 2) / std::sqrt(n / 4), kZ + 1) << "changes of bit " << bit;
  }
  EXPECT_LT(std::abs(serial) / (std::sqrt(n) / 12), kZ) << "neighbours correlate";
}

TEST(SecAggStatistics, SingleMaskedVectorUniform) {
  for (const std::uint64_t word : {std::uint64_t{0}, std::uint64_t{0xfffff}})
    expect_uniform(words_of(masked(word, 20, 1)), 20);
}

TEST(SecAggStatistics, DifferenceOfTwoMaskedVectorsOfOneInputUniform) {
  const auto one = masked(5, 20, 1);
  const auto other = masked(5, 20, 2);
  std::vector<std::uint32_t> difference(kWords);
  for (std::size_t i = 0; i < difference.size(); ++i)
    difference[i] = (words_of(one)[i] - words_of(other)[i]) & 0xfffff;
  expect_uniform(difference, 20);
}

TEST(SecAggStatistics, TopValueReachable) {
  for (const std::uint8_t bits : {std::uint8_t{12}, std::uint8_t{20}}) {
    const std::uint32_t top = (1U << bits) - 1;
    const auto vector = masked(0, bits, 3);
    EXPECT_NE(std::ranges::find(words_of(vector), top), words_of(vector).end()) << int{bits};
    EXPECT_NE(std::ranges::find(words_of(vector), 0U), words_of(vector).end()) << int{bits};
  }
}

/// One pair's masks in two rounds and in two lanes share no block of 16 bytes: of 2^24 blocks not
/// even the first halves are the same.
TEST(SecAggStatistics, MasksOfOnePairNeverRepeatABlock) {
  std::vector<std::uint64_t> halves;
  halves.reserve(kWords);
  crypto::StreamRandom random(4);
  const auto secret = crypto::Secret32::random(random);
  for (const auto kind : {encoding::LaneKind::kUpdate, encoding::LaneKind::kCheck})
    for (std::uint8_t round = 0; round < 2; ++round) {
      std::vector<encoding::RingVector> lanes;
      lanes.emplace_back(encoding::LaneSpec{
          .word_bits = 32, .bits = 32, .kind = kind, .length = kWords, .chunk_words = 65536});
      std::vector<MaskSeed> seeds;  // the round is in a pair's seed through h, in b's key directly
      seeds.push_back({MaskSeed::Kind::kSelf, secret.clone(), MemberId{7}, crypto::MaskSign::kAdd});
      apply_masks(lanes, Bytes32{round}, seeds, 1);
      const auto& words = words_of(lanes[0]);
      for (std::size_t i = 0; i < words.size(); i += 4)
        halves.push_back(std::uint64_t{words[i]} << 32 | words[i + 1]);
    }
  ASSERT_EQ(halves.size(), kWords);
  std::ranges::sort(halves);
  EXPECT_EQ(std::ranges::adjacent_find(halves), halves.end());
}

}  // namespace
}  // namespace sotto::secagg

#include "common/encoding/noisy_encoding.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "common/encoding/quantizer.h"
#include "common/encoding/rotation.h"
#include "common/privacy/mechanisms/clip.h"
#include "tests/common/encoding/whole_mean.h"

namespace sotto::encoding {
namespace {

// Statistical bounds are 5 standard deviations, with fixed seeds.

constexpr Bytes32 kHeaderHash{4, 5, 6};

ClippedUpdate clipped(std::vector<float> values, double bound) {
  return std::move(clip(FlatUpdate(std::move(values)), bound)).value();
}

NoisyEncoding noisy(std::uint64_t values, double multiplier, std::uint32_t participants,
                    double clipping_norm = 1) {
  const privacy::NoisePlan plan = privacy::plan_noise({.clipping_norm = clipping_norm,
                                                       .noise_multiplier = multiplier,
                                                       .dimension = rotated_length(values),
                                                       .participants = participants,
                                                       .unknown_noises = participants,
                                                       .rounds = 1})
                                      .value();
  return {.values = values,
          .clipping_norm = clipping_norm,
          .steps_per_unit = plan.steps_per_unit,
          .round = plan.one_round};
}

double deviation(const NoisyEncoding& noise) {
  return std::sqrt(static_cast<double>(noise.round.variance) / privacy::kVarianceUnit);
}

/// A random direction of the given norm.
std::vector<float> direction(std::size_t count, double norm, std::uint64_t seed) {
  crypto::StreamRandom random(seed);
  std::vector<double> draws(count);
  for (double& draw : draws)
    draw = 2 * random.unit() - 1;
  const double length =
      std::sqrt(std::inner_product(draws.begin(), draws.end(), draws.begin(), 0.0));
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<float>(draws[i] * norm / length);
  return out;
}

std::uint64_t squared_norm(std::span<const std::int32_t> codes) {
  std::uint64_t out = 0;
  for (const std::int32_t code : codes)
    out += static_cast<std::uint64_t>(std::int64_t{code} * code);
  return out;
}

struct NoisyRound {
  EncodingSpec spec;
  std::vector<LaneSpec> lanes;

  NoisyRound(const NoisyEncoding& noise, std::uint32_t n) {
    spec.noise = noise;
    lanes = lane_specs(spec, noise.values, n);
  }

  [[nodiscard]] Result<RingUpdate> encoded(std::vector<float> values,
                                           crypto::SecureRandom& random) const {
    return encode(spec, lanes, kHeaderHash, clipped(std::move(values), spec.noise->clipping_norm),
                  {}, random);
  }

  /// The sum over n participants with the same update.
  [[nodiscard]] RingUpdate sum_of(const std::vector<float>& values, std::uint32_t n,
                                  crypto::SecureRandom& random) const {
    RingUpdate sum = std::move(encoded(values, random)).value();
    for (std::uint32_t i = 1; i < n; ++i) {
      const RingUpdate next = std::move(encoded(values, random)).value();
      for (std::size_t lane = 0; lane < sum.lanes.size(); ++lane)
        sum.lanes[lane].add(next.lanes[lane]);
    }
    for (RingVector& lane : sum.lanes)
      lane.reduce();
    return sum;
  }
};

// The sensitivity that is accounted holds for every output, not on average: also where every
// coordinate lies half way, and for a few large ones.
TEST(ConditionalRounding, NoOutputIsLongerThanTheSensitivity) {
  crypto::StreamRandom random(1);
  std::size_t near_the_bound = 0;
  for (const std::size_t count : {std::size_t{1}, std::size_t{64}, std::size_t{4096}}) {
    for (const double norm : {3.0, 20.0, 300.0}) {
      const std::uint64_t limit = privacy::squared_norm_limit(norm, count);
      for (std::uint64_t seed = 0; seed < 200; ++seed) {
        std::vector<float> values = direction(count, norm, seed);
        if (seed % 2 == 0) std::ranges::fill(values, static_cast<float>(norm / std::sqrt(count)));
        const auto codes = round_within(values, 1, limit, random);
        ASSERT_TRUE(codes.ok()) << codes.error().message;
        ASSERT_LE(squared_norm(*codes), limit) << count << " " << norm;
        if (static_cast<double>(squared_norm(*codes)) > 0.98 * static_cast<double>(limit))
          ++near_the_bound;
      }
    }
  }
  EXPECT_GT(near_the_bound, 100U) << "the bound was never put to the test";
}

TEST(ConditionalRounding, AfterManyFailuresItRoundsTowardsZero) {
  crypto::StreamRandom random(2);
  std::vector<float> values(1000, 1.5F);
  values[1] = -1.5F;
  const auto codes = round_within(values, 1, 1000, random);
  ASSERT_TRUE(codes.ok());
  std::vector<std::int32_t> expected(1000, 1);
  expected[1] = -1;
  EXPECT_EQ(*codes, expected);
}

TEST(ConditionalRounding, RefusesWhatIsTooLongEvenTowardsZero) {
  crypto::StreamRandom random(3);
  EXPECT_FALSE(round_within(std::vector<float>(1000, 1.5F), 1, 999, random).ok());
}

TEST(ConditionalRounding, IsUnbiasedAndWithinOneStep) {
  crypto::StreamRandom random(4);
  constexpr std::size_t kCount = 200'000;
  for (const float value : {-3.0F, -2.75F, -0.5F, -0.01F, 0.0F, 0.3F, 0.999F, 7.125F}) {
    const auto codes = round_within(std::vector<float>(kCount, value), 1, 1'000'000'000, random);
    double sum = 0;
    for (const std::int32_t code : *codes) {
      ASSERT_LT(std::abs(code - double{value}), 1);
      sum += code;
    }
    const double p = double{value} - std::floor(double{value});
    EXPECT_NEAR(sum / kCount, value, 5 * std::sqrt(p * (1 - p) / kCount) + 1e-9) << value;
  }
}

// "Computed" table of the specification, 3.2: clipping norm 1, multiplier 1 on the sum.
TEST(NoisySumBits, AreThoseOfTheSpecificationsTable) {
  const auto bits = [](std::uint64_t values, std::uint32_t n) {
    return static_cast<int>(noisy_sum_bits(noisy(values, 1, n), n));
  };
  EXPECT_EQ(bits(100'000, 10), 15);
  EXPECT_EQ(bits(100'000, 100), 15);
  EXPECT_EQ(bits(100'000, 1000), 16);
  EXPECT_EQ(bits(100'000, 10000), 20);
  EXPECT_EQ(bits(1'000'000, 10), 16);
  EXPECT_EQ(bits(1'000'000, 100), 16);
  EXPECT_EQ(bits(1'000'000, 1000), 17);
  EXPECT_EQ(bits(1'000'000, 10000), 20);
}

TEST(NoisySumBits, ASmallLastBlockIsCovered) {
  constexpr std::uint64_t kBlock = std::uint64_t{1} << 20;
  EXPECT_GT(noisy_sum_bits(noisy(kBlock + 1, 1, 100), 100),
            noisy_sum_bits(noisy(kBlock, 1, 100), 100));
}

// The worst case of the rule: everybody sends the same vector. At two bits less the rule's bound
// is not empty and must hold; at b nothing wraps (3.2).
TEST(NoisySumBits, WraparoundIsRarerThanTheRuleSays) {
  constexpr std::size_t kValues = 4096;
  constexpr std::uint32_t kParticipants = 40;
  const NoisyEncoding noise = noisy(kValues, 0.5, kParticipants);
  const LaneSpec wide{.word_bits = 64, .bits = 64, .length = kValues, .chunk_words = 1U << 18};
  crypto::StreamRandom random(5);
  const std::uint8_t bits = noisy_sum_bits(noise, kParticipants);
  std::size_t outside = 0;
  std::size_t outside_less = 0;
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    const Bytes32 header_hash{static_cast<std::uint8_t>(round)};
    RingVector sum(wide);
    const std::vector<float> same = direction(kValues, 0.9999, 77);
    for (std::uint32_t i = 0; i < kParticipants; ++i)
      sum.add(encode_noisy(noise, wide, header_hash, clipped(same, 1), random).value());
    for (std::size_t i = 0; i < kValues; ++i) {
      const auto value = std::abs(static_cast<double>(static_cast<std::int64_t>(sum.at(i))));
      outside += static_cast<std::size_t>(value >= std::ldexp(1, bits - 1));
      outside_less += static_cast<std::size_t>(value >= std::ldexp(1, bits - 3));
    }
  }
  EXPECT_EQ(outside, 0U);
  const double aligned = kParticipants * noise.steps_per_unit;
  const double proxy =
      aligned * aligned / kValues + kParticipants * (deviation(noise) * deviation(noise) + 0.25);
  const double bound = 2 * std::exp(-std::pow(std::ldexp(1, bits - 3), 2) / (2 * proxy));
  const double count = kRounds * kValues;
  EXPECT_LT(bound, 0.9) << "the bound says something";
  EXPECT_LE(static_cast<double>(outside_less),
            count * bound + 5 * std::sqrt(count * bound * (1 - bound)));
}

TEST(NoisyEncoding, TheSumIsTheMeanAndNoiseOfTheExpectedVariance) {
  for (const auto mechanism :
       {privacy::NoiseMechanism::kDiscreteGaussian, privacy::NoiseMechanism::kSkellam}) {
    constexpr std::size_t kValues = 20'000;
    constexpr std::uint32_t kParticipants = 12;
    NoisyEncoding noise = noisy(kValues, 2, kParticipants, 0.25);
    noise.round.mechanism = mechanism;
    const NoisyRound round(noise, kParticipants);
    crypto::StreamRandom random(6);
    const std::vector<float> update = direction(kValues, 0.2499, 8);
    const auto decoded = decode_sum(round.spec, round.lanes, kHeaderHash,
                                    round.sum_of(update, kParticipants, random), kParticipants);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    const std::vector<float> mean = whole_mean(*decoded);
    ASSERT_EQ(mean.size(), kValues);
    double squares = 0;
    double sum = 0;
    for (std::size_t i = 0; i < kValues; ++i) {
      const double error = double{mean[i]} - double{update[i]};
      squares += error * error;
      sum += error;
    }
    // Noise of everybody, and rounding: between nothing and 1/4 of a squared step each.
    const double unit = 1 / (noise.steps_per_unit * kParticipants);
    const double least = kParticipants * deviation(noise) * deviation(noise) * unit * unit;
    const double most = least + kParticipants * 0.25 * unit * unit;
    const double slack = 5 * std::sqrt(2.0 / kValues);
    EXPECT_GT(squares / kValues, least * (1 - slack));
    EXPECT_LT(squares / kValues, most * (1 + slack));
    EXPECT_NEAR(sum / kValues, 0, 5 * std::sqrt(most / kValues));
    // z B of the sum, in units: what the statement rests on.
    const double target = 4 * static_cast<double>(noise.round.squared_sensitivity);
    EXPECT_GE(squares / kValues / (unit * unit), target * (1 - slack));
  }
}

TEST(NoisyEncoding, TheLaneIsPaddedAndAsWideAsTheRuleSays) {
  const NoisyEncoding noise = noisy(5000, 3, 10);
  const NoisyRound round(noise, 10);
  ASSERT_EQ(round.lanes.size(), 3U);
  EXPECT_EQ(round.lanes[0].length, 8192U);
  EXPECT_EQ(round.lanes[0].bits, noisy_sum_bits(noise, 10));
  EXPECT_TRUE(round.lanes[0].valid());
  EXPECT_EQ(lane_specs(round.spec, 0, 10).size(), 1U) << "an evaluation round has no noise";
}

TEST(NoisyEncoding, EqualUpdatesNeverGiveEqualLanes) {
  const NoisyRound round(noisy(100, 1, 3), 3);
  crypto::StreamRandom random(9);
  const std::vector<float> update = direction(100, 0.5, 1);
  const auto first = round.encoded(update, random);
  const auto second = round.encoded(update, random);
  EXPECT_NE(std::get<0>(first->lanes[0].words()), std::get<0>(second->lanes[0].words()));
}

TEST(NoisyEncoding, RefusesAnUpdateThatIsNotClippedToItsNorm) {
  const NoisyRound round(noisy(100, 1, 3), 3);
  crypto::StreamRandom random(10);
  EXPECT_FALSE(encode(round.spec, round.lanes, kHeaderHash,
                      clipped(std::vector<float>(100, 0.01F), 1.5), {}, random)
                   .ok());
  EXPECT_FALSE(round.encoded(std::vector<float>(99, 0.01F), random).ok());
  EXPECT_TRUE(round.encoded(std::vector<float>(100, 1e30F), random).ok()) << "clipped";
}

// An exact sum of weights would stand beside the noisy one, outside every statement.
TEST(NoisyEncoding, RefusesWeights) {
  NoisyRound round(noisy(100, 1, 3), 3);
  crypto::StreamRandom random(11);
  ASSERT_TRUE(round.encoded(std::vector<float>(100), random).ok());
  round.spec.max_weight = 2;
  EXPECT_FALSE(round.encoded(std::vector<float>(100), random).ok());
}

TEST(NoisyEncoding, RefusesNoiseOrLanesThatDoNotFit) {
  const NoisyRound round(noisy(100, 1, 3), 3);
  crypto::StreamRandom random(12);
  const auto refused = [&](auto change) {
    NoisyRound changed = round;
    change(changed);
    return !changed.encoded(std::vector<float>(100), random).ok();
  };
  EXPECT_FALSE(refused([](NoisyRound&) {}));
  EXPECT_TRUE(refused([](NoisyRound& r) { r.spec.noise->round.dimension = 256; }));
  EXPECT_TRUE(refused([](NoisyRound& r) { r.spec.noise->round.unknown_noises = 0; }));
  EXPECT_TRUE(refused([](NoisyRound& r) { r.spec.noise->round.variance = 1; }));
  EXPECT_TRUE(refused([](NoisyRound& r) { r.lanes[0].length = 64; }));
  EXPECT_TRUE(refused([](NoisyRound& r) { r.lanes[0].bits = r.lanes[2].bits = 4; }));
}

TEST(NoisyEncoding, AChangedWordOfTheSumIsCaughtByTheCheckLane) {
  const NoisyRound round(noisy(1000, 1, 3), 3);
  crypto::StreamRandom random(13);
  RingUpdate sum = round.sum_of(direction(1000, 1, 2), 3, random);
  ASSERT_TRUE(decode_sum(round.spec, round.lanes, kHeaderHash, sum.clone(), 3).ok());
  sum.lanes[0].set(17, sum.lanes[0].at(17) + 1);
  EXPECT_FALSE(decode_sum(round.spec, round.lanes, kHeaderHash, sum.clone(), 3).ok());
}

}  // namespace
}  // namespace sotto::encoding

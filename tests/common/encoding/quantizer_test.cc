#include "common/encoding/quantizer.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "common/privacy/mechanisms/clip.h"
#include "tests/common/encoding/whole_mean.h"

namespace sotto::encoding {
namespace {

constexpr Bytes32 kHeaderHash{1, 2, 3};

ClippedUpdate clipped(std::vector<float> values, double bound = 1e30) {
  return std::move(clip(FlatUpdate(std::move(values)), bound)).value();
}

struct Round {
  EncodingSpec spec;
  std::vector<LaneSpec> lanes;

  static Round of(const EncodingSpec& spec, std::size_t values, std::uint32_t n) {
    return {spec, lane_specs(spec, values, n)};
  }

  [[nodiscard]] RingUpdate encoded(std::vector<float> values, const Counters& counters,
                                   crypto::SecureRandom& random) const {
    return std::move(encode(spec, lanes, kHeaderHash, clipped(std::move(values)), counters, random))
        .value();
  }

  [[nodiscard]] Result<DecodedSum> decoded(const RingUpdate& sum, std::uint32_t survivors) const {
    return decode_sum(spec, lanes, kHeaderHash, sum.clone(), survivors);
  }
};

void add_into(RingUpdate& sum, const RingUpdate& term) {
  for (std::size_t i = 0; i < sum.lanes.size(); ++i)
    sum.lanes[i].add(term.lanes[i]);
}

RingUpdate zero_sum(const Round& round) {
  RingUpdate out;
  for (const LaneSpec& lane : round.lanes)
    out.lanes.emplace_back(lane);
  return out;
}

std::vector<float> random_values(std::size_t count, double range, crypto::StreamRandom& random) {
  std::vector<float> out(count);
  for (float& value : out)
    value = static_cast<float>((2 * random.unit() - 1) * range);
  return out;
}

TEST(Quantizer, SumBitsAreThoseOfTheSpecificationsTable) {
  EXPECT_EQ(sum_bits(10, 8), 12);
  EXPECT_EQ(sum_bits(100, 16), 23);
  EXPECT_EQ(sum_bits(1000, 16), 26);
  EXPECT_EQ(sum_bits(10000, 20), 34);
  EXPECT_EQ(sum_bits(1, 16), 16);
}

TEST(Quantizer, SumBitsAreExactlyEnough) {
  for (std::uint32_t n = 1; n < 2000; ++n) {
    const std::uint64_t largest = n * std::uint64_t{65535};
    const std::uint8_t bits = sum_bits(n, 16);
    EXPECT_EQ(largest >> bits, 0U);
    EXPECT_NE(largest >> (bits - 1), 0U);
  }
}

TEST(Quantizer, CodesStayInRangeAndWithinOneStep) {
  crypto::StreamRandom random(3);
  for (const std::uint32_t q : {8U, 12U, 16U, 20U, 24U}) {
    const EncodingSpec spec{.quantization_bits = q, .value_range = 0.37};
    const Round round = Round::of(spec, 5000, 1);
    std::vector<float> values = random_values(5000, 0.5, random);
    values[0] = 0.37F;
    values[1] = -0.37F;
    values[2] = 0;
    values[3] = std::numeric_limits<float>::denorm_min();
    values[4] = std::numeric_limits<float>::max();
    values[5] = std::numeric_limits<float>::lowest();
    const std::vector<float> kept = values;
    const RingUpdate update =
        std::move(encode(spec, round.lanes, kHeaderHash,
                         std::move(clip(FlatUpdate(std::move(values)), 1e40)).value(), {}, random))
            .value();
    const double limit = std::ldexp(1.0, static_cast<int>(q) - 1) - 1;
    const double step = spec.value_range / limit;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const auto code = static_cast<double>(update.lanes[0].at(i));
      ASSERT_GE(code, 1);
      ASSERT_LE(code, 2 * limit + 1);
      const double expected = std::min(std::max(double{kept[i]}, -0.37), 0.37);
      EXPECT_LT(std::abs((code - limit - 1) * step - expected), step * 1.000001) << q << " " << i;
    }
  }
}

// z-test at 5 sigma (6e-7 a case) with a fixed seed. The ends of the range have no room to round
// outward and must be exact.
TEST(Quantizer, RoundingIsUnbiased) {
  crypto::StreamRandom random(4);
  constexpr std::size_t kCount = 200000;
  const EncodingSpec spec{.quantization_bits = 8, .value_range = 1.0};
  const Round round = Round::of(spec, kCount, 1);
  for (const double code :
       {-127.0, -126.75, -50.5, -0.125, 0.0, 0.001, 0.5, 99.9, 126.999, 127.0}) {
    const auto value = static_cast<float>(code / 127.0);
    const double scaled = std::min(double{value} * 127.0, 127.0);
    const RingUpdate update = round.encoded(std::vector<float>(kCount, value), {}, random);
    double sum = 0;
    for (std::size_t i = 0; i < kCount; ++i)
      sum += static_cast<double>(update.lanes[0].at(i)) - 128.0;
    const double p = scaled - std::floor(scaled);
    const double deviation = 5 * std::sqrt(p * (1 - p) / kCount) + 1e-9;
    EXPECT_NEAR(sum / kCount, scaled, deviation) << code;
  }
}

TEST(Quantizer, ExtremeInputsNeverWrap) {
  crypto::StreamRandom random(5);
  for (const std::uint32_t n : {1U, 2U, 4U, 16U, 100U}) {
    for (const std::uint32_t q : {8U, 16U, 24U}) {
      const EncodingSpec spec{.quantization_bits = q, .value_range = 2.0};
      const Round round = Round::of(spec, 3, n);
      RingUpdate sum = zero_sum(round);
      for (std::uint32_t i = 0; i < n; ++i)
        add_into(sum, round.encoded({1e20F, -1e20F, 0.0F}, {}, random));
      for (RingVector& lane : sum.lanes)
        lane.reduce();
      const auto decoded = round.decoded(sum, n);
      ASSERT_TRUE(decoded.ok()) << decoded.error().message;
      EXPECT_FLOAT_EQ(whole_mean(*decoded)[0], 2.0F);
      EXPECT_FLOAT_EQ(whole_mean(*decoded)[1], -2.0F);
      EXPECT_FLOAT_EQ(whole_mean(*decoded)[2], 0.0F);
    }
  }
}

TEST(Quantizer, DecodesExactlyTheSumOfTheCodes) {
  crypto::StreamRandom random(6);
  for (const std::uint32_t n : {1U, 3U, 17U}) {
    const EncodingSpec spec{.quantization_bits = 12, .value_range = 0.5, .metrics = {"loss"}};
    const Round round = Round::of(spec, 1000, n);
    RingUpdate sum = zero_sum(round);
    std::vector<std::uint64_t> codes(1000);
    std::vector<double> plain(1000);
    for (std::uint32_t i = 0; i < n; ++i) {
      const std::vector<float> values = random_values(1000, 0.5, random);
      const RingUpdate update = round.encoded(values, {.weight = 1, .metrics = {100 + i}}, random);
      for (std::size_t j = 0; j < codes.size(); ++j) {
        codes[j] += update.lanes[0].at(j);
        plain[j] += double{values[j]} / n;
      }
      add_into(sum, update);
    }
    const auto decoded = round.decoded(sum, n);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(decoded->count, n);
    EXPECT_EQ(decoded->weight, n);
    EXPECT_EQ(decoded->metrics[0], 100 * n + n * (n - 1) / 2);
    const double step = 0.5 / 2047;
    const std::vector<float> mean = whole_mean(*decoded);
    for (std::size_t j = 0; j < codes.size(); ++j) {
      const double exact = (static_cast<double>(codes[j]) - 2048.0 * n) * step / n;
      EXPECT_FLOAT_EQ(mean[j], static_cast<float>(exact));
      EXPECT_NEAR(mean[j], plain[j], step);
    }
  }
}

TEST(Quantizer, WeightsMakeAWeightedMean) {
  crypto::StreamRandom random(7);
  const EncodingSpec spec{.quantization_bits = 24, .value_range = 1.0, .max_weight = 1000};
  const Round round = Round::of(spec, 1, 2);
  RingUpdate sum = round.encoded({0.5F}, {.weight = 1000, .metrics = {}}, random);
  add_into(sum, round.encoded({-0.25F}, {.weight = 250, .metrics = {}}, random));
  const auto decoded = round.decoded(sum, 2);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(decoded->weight, 1250U);
  EXPECT_NEAR(whole_mean(*decoded)[0], (1000 * 0.5 - 250 * 0.25) / 1250, 1e-6);
}

TEST(Quantizer, AnEvaluationRoundHasCountersOnly) {
  crypto::StreamRandom random(8);
  const EncodingSpec spec{.max_weight = 10, .metrics = {"correct", "total"}};
  const Round round = Round::of(spec, 0, 2);
  ASSERT_EQ(round.lanes.size(), 1U);
  const Counters counters{.weight = 10, .metrics = {7, 9}};
  auto update = encode(spec, round.lanes, kHeaderHash, std::nullopt, counters, random);
  ASSERT_TRUE(update.ok());
  update->lanes[0].add(update->lanes[0].clone());
  const auto decoded = round.decoded(*update, 2);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(decoded->scale.values, 0U);
  EXPECT_EQ(decoded->metrics, (std::vector<std::uint64_t>{14, 18}));
  EXPECT_FALSE(encode(spec, round.lanes, kHeaderHash, clipped({1.0F}), counters, random).ok());
}

TEST(Quantizer, RefusesWhatDoesNotFitTheJob) {
  crypto::StreamRandom random(9);
  const EncodingSpec spec{.max_weight = 10, .metrics = {"correct"}};
  const Round round = Round::of(spec, 2, 2);
  const auto encoded = [&](std::vector<float> values, const Counters& counters) {
    return encode(spec, round.lanes, kHeaderHash, clipped(std::move(values)), counters, random)
        .ok();
  };
  EXPECT_TRUE(encoded({0, 0}, {.weight = 10, .metrics = {1}}));
  EXPECT_FALSE(encoded({0, 0, 0}, {.weight = 10, .metrics = {1}}));
  EXPECT_FALSE(encoded({0, 0}, {.weight = 0, .metrics = {1}}));
  EXPECT_FALSE(encoded({0, 0}, {.weight = 11, .metrics = {1}}));
  EXPECT_FALSE(encoded({0, 0}, {.weight = 1, .metrics = {}}));
  EXPECT_FALSE(encoded({0, 0}, {.weight = 1, .metrics = {std::uint64_t{1} << 48}}));
  std::vector<LaneSpec> swapped = round.lanes;
  std::swap(swapped[0], swapped[2]);
  const Counters counters{.weight = 1, .metrics = {1}};
  EXPECT_FALSE(encode(spec, swapped, kHeaderHash, clipped({0, 0}), counters, random).ok());
  EncodingSpec narrow = spec;
  narrow.quantization_bits = 7;
  EXPECT_FALSE(encode(narrow, round.lanes, kHeaderHash, clipped({0, 0}), counters, random).ok());
}

class TamperedSum : public testing::Test {
 protected:
  TamperedSum() : random_(10), round_(Round::of(spec_, 300000, 3)) {
    sum_ = zero_sum(round_);
    for (int i = 0; i < 3; ++i)
      add_into(sum_, round_.encoded(random_values(300000, 1.0, random_), {.weight = 5}, random_));
  }

  const EncodingSpec spec_{.quantization_bits = 16, .value_range = 1.0, .max_weight = 5};
  crypto::StreamRandom random_;
  Round round_;
  RingUpdate sum_;
};

TEST_F(TamperedSum, IsAcceptedUnchanged) {
  EXPECT_TRUE(round_.decoded(sum_, 3).ok());
}

TEST_F(TamperedSum, OneChangedWordIsCaughtByTheCheckLane) {
  ASSERT_EQ(round_.lanes[2].length, 2U);
  for (const std::uint64_t at : {0U, 1U, 262143U, 262144U, 299999U}) {
    for (const std::uint64_t change : {1U, 2U, 1000U}) {
      const std::uint64_t kept = sum_.lanes[0].at(at);
      sum_.lanes[0].set(at, kept + change);
      const auto decoded = round_.decoded(sum_, 3);
      ASSERT_FALSE(decoded.ok()) << at;
      EXPECT_NE(decoded.error().message.find("check word"), std::string::npos);
      sum_.lanes[0].set(at, kept);
    }
  }
}

TEST_F(TamperedSum, TwoExchangedWordsAreCaught) {
  const std::uint64_t first = sum_.lanes[0].at(10);
  ASSERT_NE(first, sum_.lanes[0].at(20));
  sum_.lanes[0].set(10, sum_.lanes[0].at(20));
  sum_.lanes[0].set(20, first);
  EXPECT_FALSE(round_.decoded(sum_, 3).ok());
}

TEST_F(TamperedSum, AnotherHeaderIsCaught) {
  EXPECT_FALSE(decode_sum(spec_, round_.lanes, Bytes32{9}, sum_.clone(), 3).ok());
}

TEST_F(TamperedSum, ASumOverOthersThanCertifiedIsCaught) {
  EXPECT_FALSE(round_.decoded(sum_, 2).ok());
  EXPECT_FALSE(round_.decoded(sum_, 4).ok());
  EXPECT_FALSE(round_.decoded(sum_, 0).ok());
}

TEST_F(TamperedSum, CountersOutOfRangeAreCaught) {
  const std::uint64_t sentinel = sum_.lanes[1].spec().length - 1;
  for (std::uint64_t i = 0; i < 4; ++i) {
    sum_.lanes[1].set(sentinel - i, 1);
    EXPECT_FALSE(round_.decoded(sum_, 3).ok()) << i;
    sum_.lanes[1].set(sentinel - i, 0);
  }
  sum_.lanes[1].set(1, 2);
  EXPECT_FALSE(round_.decoded(sum_, 3).ok());
  sum_.lanes[1].set(1, 16);
  EXPECT_FALSE(round_.decoded(sum_, 3).ok());
  sum_.lanes[1].set(1, 15);
  EXPECT_TRUE(round_.decoded(sum_, 3).ok());
}

/// A member can put anything there; whether it can be counted is not for the codec to say.
TEST(Quantizer, NoMetricLosesTheUpdate) {
  const EncodingSpec spec{.metrics = {"correct"}};
  const Round round = Round::of(spec, 2, 1);
  crypto::StreamRandom random(11);
  RingUpdate sum = round.encoded({0.5F, -0.5F}, {.metrics = {1}}, random);
  for (std::uint64_t metric : {std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    sum.lanes[1].set(2, metric);
    const auto decoded = round.decoded(sum, 1);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->metrics[0], metric);
    EXPECT_EQ(decoded->scale.values, 2U);
  }
}

TEST(Quantizer, LanesSayWhetherARoundSumsMetrics) {
  const EncodingSpec spec{.metrics = {"correct", "total"}};
  for (std::uint64_t values : {0U, 100U}) {
    const auto lanes = lane_specs(spec, values, 5);
    EXPECT_EQ(encoding_for(spec, lanes).metrics, spec.metrics);
    const auto bare = lane_specs(without_metrics(spec), values, 5);
    EXPECT_NE(bare, lanes);
    EXPECT_TRUE(encoding_for(spec, bare).metrics.empty());
  }
}

TEST_F(TamperedSum, LanesOfAnotherShapeAreRefused) {
  sum_.lanes.pop_back();
  EXPECT_FALSE(round_.decoded(sum_, 3).ok());
}

}  // namespace
}  // namespace sotto::encoding

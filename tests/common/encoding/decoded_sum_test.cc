// The mean of a sum is read in parts and never whole: a coordinator holds model and sum, whatever
// the size (docs/benchmarks.md).
#include "common/encoding/decoded_sum.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"
#include "common/encoding/quantizer.h"
#include "common/encoding/rotation.h"
#include "common/privacy/mechanisms/clip.h"
#include "tests/common/encoding/whole_mean.h"

namespace sotto::encoding {
namespace {

constexpr Bytes32 kHeaderHash{5};
constexpr std::uint64_t kValues = MeanParts::kMostValues + 12'345;  // of the second block, a part

std::vector<float> some_values() {
  std::vector<float> out(kValues);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = 1e-4F * static_cast<float>(static_cast<int>(i % 201) - 100);
  return out;
}

/// Of one participant.
DecodedSum sum_of(const EncodingSpec& spec, double norm) {
  crypto::StreamRandom random(3);
  const auto lanes = lane_specs(spec, kValues, 1);
  auto update = clip(FlatUpdate(some_values()), norm).value();
  auto encoded = encode(spec, lanes, kHeaderHash, std::move(update), {}, random);
  return decode_sum(spec, lanes, kHeaderHash, std::move(encoded).value(), 1).value();
}

EncodingSpec plain() {
  return {.quantization_bits = 16, .value_range = 0.02};
}

EncodingSpec noisy() {
  const NoiseTerms terms{.values = kValues, .clipping_norm = 10, .noise_multiplier = 0.5};
  return {.noise = noise_for(terms, 1, 1).value()};
}

void expect_never_whole(const DecodedSum& sum) {
  MeanParts mean(sum);
  std::size_t parts = 0, values = 0;
  std::set<const float*> places;
  for (auto part = mean.next(); !part.empty(); part = mean.next()) {
    EXPECT_LE(part.size(), MeanParts::kMostValues);
    places.insert(part.data());
    ++parts;
    values += part.size();
  }
  EXPECT_EQ(parts, 2U);
  EXPECT_EQ(values, kValues);
  EXPECT_EQ(places.size(), 1U) << "one part takes the place of the one before";
}

TEST(MeanParts, AMeanIsNeverWhole) {
  expect_never_whole(sum_of(plain(), 100));
  expect_never_whole(sum_of(noisy(), 10));
}

TEST(MeanParts, AreTheMeanToTheBit) {
  const DecodedSum sum = sum_of(plain(), 100);
  const std::vector<float> values = some_values();
  const std::vector<float> mean = whole_mean(sum);
  const double step = 0.02 / 32767;
  ASSERT_EQ(mean.size(), kValues);
  for (std::size_t i = 0; i < kValues; ++i) {
    const double code = static_cast<double>(sum.sum.lanes[0].at(i)) - 32768.0;
    ASSERT_EQ(mean[i], static_cast<float>(code * (1.0 / (32767 / 0.02)))) << i;
    ASSERT_NEAR(double{mean[i]}, double{values[i]}, step) << i;
  }
}

TEST(MeanParts, BlocksOfTheRotationAreUndoneEachInItsPlace) {
  const std::vector<float> values = some_values();
  std::vector<float> rotated = rotate(values, kHeaderHash);
  for (std::uint64_t first = 0; first < rotated.size(); first += kRotationBlock)
    rotate_block_back(std::span(rotated).subspan(
                          first, std::min<std::size_t>(kRotationBlock, rotated.size() - first)),
                      first, kHeaderHash);
  for (std::size_t i = 0; i < kValues; ++i)
    ASSERT_NEAR(rotated[i], values[i], 1e-6) << i;
  const DecodedSum sum = sum_of(noisy(), 10);
  const std::vector<float> mean = whole_mean(sum);
  double squares = 0;
  for (std::size_t i = 0; i < kValues; ++i)
    squares += std::pow(double{mean[i]} - double{values[i]}, 2);
  const NoisyEncoding& noise = *sum.scale.noise;
  const double deviation = std::sqrt(squares / kValues) * noise.steps_per_unit;
  const double expected =
      std::sqrt(static_cast<double>(noise.round.variance) / privacy::kVarianceUnit);
  EXPECT_NEAR(deviation, expected, 0.01 * expected);
}

TEST(StepByMean, IsTheStepAlongTheWholeMeanToTheBit) {
  for (const EncodingSpec& spec : {plain(), noisy()}) {
    const DecodedSum sum = sum_of(spec, 10);
    for (const ServerOptimizerKind* kind : server_optimizer_kinds()) {
      ServerOptimizer by_parts(*kind, {}, kValues), whole(*kind, {}, kValues);
      std::vector<float> expected = some_values();
      whole.step(expected, 0, whole_mean(sum));
      EXPECT_EQ(step_by_mean(by_parts, some_values(), sum), expected) << kind->name;
    }
  }
  ServerOptimizer other(ServerOptimizerSpec{}, 3);
  EXPECT_DEATH(step_by_mean(other, {1, 2, 3}, sum_of(plain(), 100)), "the model's length");
}

}  // namespace
}  // namespace sotto::encoding

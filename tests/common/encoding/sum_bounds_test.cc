// What the check of an opened sum lets one participant do (docs/threat-model.md, "Poisoning"), and
// that it never refuses the sum of conforming updates.
#include "common/encoding/sum_bounds.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "common/encoding/quantizer.h"
#include "common/encoding/rotation.h"
#include "common/privacy/mechanisms/clip.h"
#include "tests/common/encoding/whole_mean.h"

namespace sotto::encoding {
namespace {

constexpr Bytes32 kHeaderHash{7, 8, 9};
constexpr std::uint32_t kMembers = 4;
constexpr std::size_t kValues = 43'687;  // of the quickstart's model

double norm_of(const std::vector<float>& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

std::vector<float> of_norm(double norm, std::size_t values) {
  return std::vector<float>(values,
                            static_cast<float>(norm / std::sqrt(static_cast<double>(values))));
}

/// A round of three honest members and one that adds whatever it likes to each word.
struct Round {
  EncodingSpec spec;
  std::vector<LaneSpec> lanes;
  crypto::StreamRandom random{5};

  explicit Round(EncodingSpec encoding, std::size_t values = kValues)
      : spec(std::move(encoding)), lanes(lane_specs(spec, values, kMembers)) {}

  [[nodiscard]] RingUpdate encoded(const std::vector<float>& update) {
    const double bound = spec.noise ? spec.noise->clipping_norm : spec.max_update_norm;
    auto bounded = clip(FlatUpdate(std::vector<float>(update)), std::min(bound, 1e30)).value();
    return encode(spec, lanes, kHeaderHash, std::move(bounded), {}, random).value();
  }

  /// `added` steps beside the honest updates, in every word.
  [[nodiscard]] Result<DecodedSum> sum(const std::vector<float>& honest, std::int64_t added) {
    RingUpdate sum = RingUpdate::zeros(lanes);
    for (std::uint32_t i = 0; i < kMembers; ++i)
      EXPECT_TRUE(sum.add_packed(encoded(honest).pack()).ok());
    for (std::uint64_t i = 0; i < lanes[0].length; ++i)
      sum.lanes[0].set(i, sum.lanes[0].at(i) + static_cast<std::uint64_t>(added));
    sum.lanes[2] = check_lane(sum.lanes[0], lanes[2], kHeaderHash);
    return decode_sum(spec, lanes, kHeaderHash, std::move(sum), kMembers);
  }
};

constexpr double kNorm = 100;  // secure_aggregation.max_update_norm's default
constexpr double kSteps = 32'767;

TEST(SumBounds, WhoGoesBeyondTheRangeMovedEveryParameterAndIsNowRefused) {
  const std::vector<float> honest(kValues, 0.0F);
  const auto added = static_cast<std::int64_t>(-3.5 * kSteps);
  Round unbounded({});
  const auto moved = unbounded.sum(honest, added);
  ASSERT_TRUE(moved.ok());
  EXPECT_NEAR(whole_mean(*moved)[0], -0.875, 1e-3);
  EXPECT_NEAR(norm_of(whole_mean(*moved)), 182.9, 0.1);
  Round bounded({.max_update_norm = kNorm});
  const auto refused = bounded.sum(honest, added);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("longer than the clipped updates"), std::string::npos);
}

TEST(SumBounds, OneParticipantMovesTheMeanByTheBoundAndNotByMoreThanRoundingBesideIt) {
  const std::vector<float> honest(kValues, 0.0F);
  Round round({.max_update_norm = kNorm});
  const double slack = std::sqrt(static_cast<double>(kValues)) / kSteps;  // of the mean
  EXPECT_LT(slack, 0.0064);
  const auto steps_for = [](double norm_of_mean) {
    return static_cast<std::int64_t>(kMembers * kSteps * norm_of_mean /
                                     std::sqrt(static_cast<double>(kValues)));
  };
  const auto most = round.sum(honest, steps_for(kNorm));
  ASSERT_TRUE(most.ok());
  EXPECT_NEAR(norm_of(whole_mean(*most)), kNorm, 0.01)
      << "four times the share of a clipped update: what remains";
  EXPECT_FALSE(round.sum(honest, steps_for(kNorm + slack) + 2).ok());
}

TEST(SumBounds, ConformingUpdatesAreNeverRefused) {
  for (const double norm : {0.01, 1.0, kNorm})
    for (const std::size_t values : {1UL, 20UL, kValues}) {
      Round round({.value_range = norm, .max_update_norm = norm}, values);
      for (int repeat = 0; repeat < (values > 100 ? 2 : 200); ++repeat) {
        const auto sum = round.sum(of_norm(norm, values), 0);
        ASSERT_TRUE(sum.ok()) << norm << " " << values << ": " << sum.error().message;
      }
    }
}

TEST(SumBounds, AnUpdateThatIsNotClippedToTheJobsNormIsNotEncoded) {
  Round round({.max_update_norm = 1}, 20);
  auto longer = clip(FlatUpdate(of_norm(2, 20)), 2).value();
  EXPECT_FALSE(
      encode(round.spec, round.lanes, kHeaderHash, std::move(longer), {}, round.random).ok());
}

struct NoisySum : ::testing::TestWithParam<privacy::NoiseMechanism> {
  static EncodingSpec spec(std::uint64_t values) {
    return {.noise = noise_for({.mechanism = GetParam(),
                                .values = values,
                                .clipping_norm = 1,
                                .noise_multiplier = 0.5},
                               kMembers, 2)
                         .value()};
  }
};

TEST_P(NoisySum, ConformingUpdatesAreNotRefused) {
  for (const std::uint64_t values : {1UL, 30UL, 5'000UL}) {
    Round round(spec(values), values);
    for (int repeat = 0; repeat < (values > 100 ? 5 : 50); ++repeat) {
      const auto sum = round.sum(of_norm(1, values), 0);
      ASSERT_TRUE(sum.ok()) << values << ": " << sum.error().message;
    }
  }
}

/// Half as far again as all updates and the expected noise together reach, the check refuses.
TEST_P(NoisySum, WhatUpdatesAndNoiseCannotGiveIsRefused) {
  constexpr std::uint64_t kLong = 5'000;
  Round round(spec(kLong), kLong);
  const NoisyEncoding& noise = *round.spec.noise;
  const auto words = static_cast<double>(noise.round.dimension);
  const double variance =
      kMembers * static_cast<double>(noise.round.variance) / privacy::kVarianceUnit;
  const double reach = kMembers * std::sqrt(static_cast<double>(noise.round.squared_sensitivity)) +
                       std::sqrt(words * variance);
  const auto added = [&](double times) {
    return static_cast<std::int64_t>(times * reach / std::sqrt(words));
  };
  const std::vector<float> honest(kLong, 0.0F);
  EXPECT_TRUE(round.sum(honest, added(0.5)).ok());
  EXPECT_FALSE(round.sum(honest, added(1.5)).ok());
  EXPECT_FALSE(round.sum(honest, -added(1.5)).ok());
}

INSTANTIATE_TEST_SUITE_P(Mechanisms, NoisySum,
                         ::testing::Values(privacy::NoiseMechanism::kDiscreteGaussian,
                                           privacy::NoiseMechanism::kSkellam),
                         [](const auto& one) {
                           return one.param == privacy::NoiseMechanism::kSkellam
                                      ? "Skellam"
                                      : "DiscreteGaussian";
                         });

}  // namespace
}  // namespace sotto::encoding

#include "common/privacy/mechanisms/clip.h"

#include <cmath>
#include <limits>
#include <type_traits>

#include <gtest/gtest.h>

#include "common/crypto/secure_random.h"

namespace sotto {
namespace {

static_assert(!std::is_constructible_v<ClippedUpdate, std::vector<float>, double>);
static_assert(!std::is_default_constructible_v<ClippedUpdate>);
static_assert(!std::is_copy_constructible_v<ClippedUpdate>);
static_assert(!std::is_copy_constructible_v<FlatUpdate>);

long double norm_of(const std::vector<float>& values) {
  long double sum = 0;
  for (const float value : values)
    sum += static_cast<long double>(value) * static_cast<long double>(value);
  return std::sqrt(sum);
}

TEST(Clip, BoundsTheNormForEveryScale) {
  crypto::StreamRandom random(1);
  for (const double bound : {1e-44, 1e-38, 1e-6, 0.1, 1.0, 33.0, 1e20}) {
    for (const double scale : {1e-40, 1e-3, 1.0, 1e5, 1e37}) {
      std::vector<float> values(5003);
      for (float& value : values)
        value = static_cast<float>((2 * random.unit() - 1) * scale);
      const auto out = clip(FlatUpdate(std::move(values)), bound);
      ASSERT_TRUE(out.ok());
      EXPECT_LE(norm_of(out->values()), static_cast<long double>(bound) * (1 + 1e-11L))
          << bound << " " << scale;
    }
  }
}

TEST(Clip, KeepsTheDirectionAndNearlyTheBound) {
  const auto out = clip(FlatUpdate({30.0F, 40.0F}), 5.0);
  ASSERT_TRUE(out.ok());
  EXPECT_NEAR(out->values()[0], 3.0, 1e-5);
  EXPECT_NEAR(out->values()[1], 4.0, 1e-5);
  EXPECT_EQ(out->norm_bound(), 5.0);
}

TEST(Clip, LeavesAnUpdateWithinTheBoundUntouched) {
  const std::vector<float> values{3.0F, -4.0F};
  const auto out = clip(FlatUpdate(values), 5.0);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->values(), values);
}

TEST(Clip, RefusesNonFiniteValuesAndBounds) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(clip(FlatUpdate({1.0F, kNan}), 1.0).ok());
  EXPECT_FALSE(clip(FlatUpdate({kInfinity}), 1.0).ok());
  EXPECT_FALSE(clip(FlatUpdate({-kInfinity}), 1.0).ok());
  for (const double bound : {0.0, -1.0, double{kNan}, double{kInfinity}})
    EXPECT_FALSE(clip(FlatUpdate({1.0F}), bound).ok()) << bound;
}

}  // namespace
}  // namespace sotto

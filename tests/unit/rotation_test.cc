#include "common/codec/rotation.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/crypto/secure_random.h"

namespace sotto::codec {
namespace {

constexpr Bytes32 kHeaderHash{7, 8, 9};
constexpr std::size_t kBlock = std::size_t{1} << 20;

nlohmann::json vectors(const std::string& name) {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/codec/codec.json");
  nlohmann::json out = nlohmann::json::parse(in).at(name);
  SOTTO_CHECK(!out.empty(), "the vectors are missing");
  return out;
}

Bytes32 hash_of(const nlohmann::json& vector) {
  const Bytes bytes = from_hex(vector.at("header_hash").get<std::string>()).value();
  Bytes32 out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

std::vector<float> random_values(std::size_t count, std::uint64_t seed) {
  crypto::StreamRandom random(seed);
  std::vector<float> out(count);
  for (float& value : out)
    value = static_cast<float>(2 * random.unit() - 1);
  return out;
}

double norm(std::span<const float> values) {
  double squares = 0;
  for (const float value : values)
    squares += double{value} * double{value};
  return std::sqrt(squares);
}

TEST(Rotation, GoldenVectors) {
  for (const auto& vector : vectors("rotations")) {
    const std::vector<float> rotated =
        rotate(vector.at("values").get<std::vector<float>>(), hash_of(vector));
    ASSERT_EQ(rotated.size(), vector.at("rotated").size());
    for (std::size_t i = 0; i < rotated.size(); ++i)
      EXPECT_NEAR(rotated[i], vector["rotated"][i].get<double>(), 1e-4) << i;
  }
}

// A single value at the head of a padded last block of 16 shows its own sign in every coordinate
// of even parity; one at place j shows the sign of j at coordinate 0.
TEST(Rotation, GoldenSignsDeepInsideTheVector) {
  for (const auto& vector : vectors("late_signs")) {
    const std::size_t first = vector.at("first");
    const auto signs = vector.at("signs").get<std::vector<int>>();
    ASSERT_EQ(signs.size(), 16U);
    for (std::size_t j = 0; j < signs.size(); j += 5) {
      std::vector<float> values(first + 16);
      values[first + j] = 4;
      EXPECT_FLOAT_EQ(rotate(values, hash_of(vector))[first], static_cast<float>(signs[j])) << j;
    }
  }
}

TEST(Rotation, OnlyTheLastBlockIsPadded) {
  EXPECT_EQ(rotated_length(1), 1U);
  EXPECT_EQ(rotated_length(3), 4U);
  EXPECT_EQ(rotated_length(kBlock), kBlock);
  EXPECT_EQ(rotated_length(kBlock + 1), kBlock + 1);
  EXPECT_EQ(rotated_length(3 * kBlock + 1025), 3 * kBlock + 2048);
}

TEST(Rotation, InverseIsTheIdentityWithinRounding) {
  for (const std::size_t count :
       {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{16}, std::size_t{100},
        std::size_t{4096}, std::size_t{5000}, std::size_t{32768}, kBlock - 1, kBlock + 37}) {
    const std::vector<float> values = random_values(count, count);
    const std::vector<float> back = rotate_back(rotate(values, kHeaderHash), count, kHeaderHash);
    ASSERT_EQ(back.size(), count);
    double worst = 0;
    for (std::size_t i = 0; i < count; ++i)
      worst = std::max(worst, std::abs(double{back[i]} - double{values[i]}));
    EXPECT_LT(worst, 1e-5) << count;
  }
}

TEST(Rotation, KeepsTheNorm) {
  for (const std::size_t count : {std::size_t{9}, std::size_t{70000}, kBlock + 4097}) {
    const std::vector<float> values = random_values(count, 3 * count);
    EXPECT_NEAR(norm(rotate(values, kHeaderHash)) / norm(values), 1, 1e-6) << count;
  }
}

// 5 sigma of a normal of deviation norm / sqrt(m'): one coordinate of 2^16 beyond 6 has p < 2e-4,
// and the seed is fixed.
TEST(Rotation, SpreadsOneLargeValueAndAFlatVectorEvenly) {
  constexpr std::size_t kCount = 1 << 16;
  std::vector<float> spike(kCount);
  spike[12345] = 256;
  for (const float value : rotate(spike, kHeaderHash))
    ASSERT_FLOAT_EQ(std::abs(value), 1);
  double largest = 0;
  for (const float value : rotate(std::vector<float>(kCount, 1.0F), kHeaderHash))
    largest = std::max(largest, std::abs(double{value}));
  EXPECT_LT(largest, 6);
  EXPECT_GT(largest, 3);
}

TEST(Rotation, IsTheSameAtAllAndDiffersFromRoundToRound) {
  const std::vector<float> values = random_values(1000, 1);
  EXPECT_EQ(rotate(values, kHeaderHash), rotate(values, kHeaderHash));
  EXPECT_NE(rotate(values, kHeaderHash), rotate(values, Bytes32{7, 8, 10}));
}

}  // namespace
}  // namespace sotto::codec

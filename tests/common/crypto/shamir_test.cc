#include <algorithm>
#include <bit>

#include <sodium.h>

#include "common/crypto/shamir.h"
#include "tests/common/crypto/vectors.h"

namespace sotto::crypto {
namespace {

// l, l - 1 and l + 1, little-endian.
constexpr const char* kOrder = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
constexpr const char* kBelow = "ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
constexpr const char* kAbove = "eed3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

Bytes32 bytes_of(const Secret32& secret) {
  Bytes32 out{};
  std::ranges::copy(secret.expose(), out.begin());
  return out;
}

Secret32 reconstructed(std::span<const std::uint32_t> points, std::span<const Secret32> all) {
  std::vector<Bytes32> shares;
  for (std::uint32_t point : points)
    shares.push_back(bytes_of(all[point - 1]));
  return Reconstructor::create(points).value().reconstruct(shares);
}

std::vector<std::uint32_t> points_in(std::uint32_t subset) {
  std::vector<std::uint32_t> points;
  for (std::uint32_t i = 0; i < 32; ++i)
    if (subset >> i & 1) points.push_back(i + 1);
  return points;
}

TEST(Shamir, CanonicalMeansBelowTheOrder) {
  EXPECT_TRUE(is_canonical_scalar(Bytes32{}));
  EXPECT_TRUE(is_canonical_scalar(hex_array<32>(kBelow)));
  EXPECT_FALSE(is_canonical_scalar(hex_array<32>(kOrder)));
  EXPECT_FALSE(is_canonical_scalar(hex_array<32>(kAbove)));
  Bytes32 largest{};
  largest.fill(0xff);
  EXPECT_FALSE(is_canonical_scalar(largest));
}

/// Hands out the given draws, one a call.
class Scripted final : public SecureRandom {
 public:
  explicit Scripted(std::vector<Bytes32> draws) : draws_(std::move(draws)) {}

  void fill(std::span<std::uint8_t> out) override {
    std::ranges::copy(draws_.at(next_++), out.begin());
  }

 private:
  std::vector<Bytes32> draws_;
  std::size_t next_ = 0;
};

TEST(Shamir, RandomScalarsAreDrawnAgainWhenZeroOrNotBelowTheOrder) {
  Bytes32 one{};
  one[0] = 1;
  Scripted random({hex_array<32>(kOrder), Bytes32{}, hex_array<32>(kAbove), one});
  EXPECT_EQ(bytes_of(random_scalar(random)), one);
}

TEST(Shamir, RandomScalarsIgnoreTheThreeTopBitsOnly) {
  Bytes32 draw = hex_array<32>(kBelow);
  draw[31] |= 0xe0;
  Scripted random({draw});
  EXPECT_EQ(to_hex(random_scalar(random).expose()), kBelow);
}

TEST(Shamir, RandomScalarsAreCanonicalAndFillTheField) {
  StreamRandom random(1);
  int high = 0;
  for (int i = 0; i < 2000; ++i) {
    const Secret32 s = random_scalar(random);
    ASSERT_TRUE(is_canonical_scalar(s.expose()));
    high += s.expose()[31] >= 0x08 ? 1 : 0;  // the upper half
  }
  EXPECT_NEAR(high, 1000, 150);
}

TEST(Shamir, MatchesAnIndependentBigIntegerProgram) {
  const nlohmann::json vectors = crypto_vectors("sotto_vectors.json");
  ASSERT_FALSE(vectors["shamir"].empty());
  for (const auto& v : vectors["shamir"]) {
    std::vector<Secret32> coefficients;
    for (const auto& c : v["coefficients"])
      coefficients.push_back(hex_secret(c));
    const Secret32 secret = hex_secret(v["secret"]);
    const auto count = static_cast<std::uint32_t>(v["shares"].size());
    const std::vector<Secret32> shares = share_with_coefficients(secret, coefficients, count);
    for (std::uint32_t i = 0; i < count; ++i)
      EXPECT_EQ(to_hex(shares[i].expose()), v["shares"][i]);
    const std::vector<std::uint32_t> all = points_in((1U << count) - 1);
    EXPECT_TRUE(reconstructed(all, shares).equals(secret));
  }
}

// Every subset of every (t, n) up to n = 7.
TEST(Shamir, AnyThresholdSharesReconstructAndFewerDoNot) {
  StreamRandom random(2);
  for (std::uint32_t n = 1; n <= 7; ++n)
    for (std::uint32_t t = 1; t <= n; ++t) {
      const Secret32 secret = random_scalar(random);
      const std::vector<Secret32> shares = share_secret(secret, t, n, random);
      ASSERT_EQ(shares.size(), n);
      for (std::uint32_t subset = 1; subset < 1U << n; ++subset) {
        const bool enough = static_cast<std::uint32_t>(std::popcount(subset)) >= t;
        EXPECT_EQ(reconstructed(points_in(subset), shares).equals(secret), enough)
            << t << " of " << n << ", subset " << subset;
      }
    }
}

TEST(Shamir, ReconstructsFromAnyOrderAndFarPoints) {
  StreamRandom random(3);
  const Secret32 secret = random_scalar(random);
  const std::vector<Secret32> shares = share_secret(secret, 40, 900, random);
  std::vector<std::uint32_t> points;
  for (std::uint32_t p = 1; p <= 900; ++p)
    points.push_back(p);
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = points.size() - 1; i > 0; --i)
      std::swap(points[i], points[random.below(i + 1)]);
    EXPECT_TRUE(reconstructed(std::span(points).first(40), shares).equals(secret));
    EXPECT_FALSE(reconstructed(std::span(points).first(39), shares).equals(secret));
  }
}

// f(x) = c + (s - c) x runs through s at point 1 for whatever c: the holder of s learns nothing.
TEST(Shamir, OneShareBelowTheThresholdFitsEverySecret) {
  StreamRandom random(4);
  const Secret32 seen = random_scalar(random);
  for (int i = 0; i < 50; ++i) {
    const Secret32 candidate = random_scalar(random);
    std::vector<Secret32> slope(1);
    crypto_core_ristretto255_scalar_sub(slope[0].writable().data(), seen.expose().data(),
                                        candidate.expose().data());
    const std::vector<Secret32> shares = share_with_coefficients(candidate, slope, 2);
    EXPECT_TRUE(shares[0].equals(seen));
    EXPECT_TRUE(reconstructed(points_in(0b11), shares).equals(candidate));
  }
}

TEST(Shamir, RefusesPointsThatRepeatOrAreZero) {
  EXPECT_FALSE(Reconstructor::create({}).ok());
  EXPECT_FALSE(Reconstructor::create(std::vector<std::uint32_t>{1, 0}).ok());
  EXPECT_FALSE(Reconstructor::create(std::vector<std::uint32_t>{3, 1, 3}).ok());
  EXPECT_TRUE(Reconstructor::create(std::vector<std::uint32_t>{UINT32_MAX, 1, 3}).ok());
}

TEST(Shamir, RefusesAThresholdOutOfRangeAndASecretAboveTheOrder) {
  StreamRandom random(5);
  const Secret32 secret = random_scalar(random);
  EXPECT_DEATH(share_secret(secret, 0, 3, random), "threshold");
  EXPECT_DEATH(share_secret(secret, 4, 3, random), "threshold");
  EXPECT_DEATH(share_secret(hex_secret(kOrder), 2, 3, random), "below l");
}

TEST(Shamir, SharesAtChosenPointsAreThoseOfTheSamePolynomial) {
  StreamRandom one(7);
  StreamRandom same(7);
  const Secret32 secret = random_scalar(one);
  ASSERT_TRUE(constant_time_equal(random_scalar(same).expose(), secret.expose()));
  const auto all = share_secret(secret, 3, 9, one);
  const auto some = share_secret(secret, 3, std::vector<std::uint32_t>{2, 5, 9}, same);
  ASSERT_EQ(some.size(), 3U);
  EXPECT_TRUE(constant_time_equal(some[0].expose(), all[1].expose()));
  EXPECT_TRUE(constant_time_equal(some[1].expose(), all[4].expose()));
  EXPECT_TRUE(constant_time_equal(some[2].expose(), all[8].expose()));
}

TEST(ShamirDeathTest, AShareAtPointZeroIsOurBug) {
  StreamRandom random(7);
  const Secret32 secret = random_scalar(random);
  EXPECT_DEATH((void)share_secret(secret, 1, std::vector<std::uint32_t>{1, 0}, random), "point 0");
}

}  // namespace
}  // namespace sotto::crypto

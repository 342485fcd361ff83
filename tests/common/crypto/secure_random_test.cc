#include <array>
#include <cmath>
#include <set>

#include <sodium.h>

#include "common/crypto/secure_random.h"
#include "tests/common/crypto/vectors.h"

namespace sotto::crypto {
namespace {

Bytes drawn(StreamRandom& random, std::size_t size) {
  Bytes out(size);
  random.fill(out);
  return out;
}

TEST(OsRandom, FillsDifferentlyEachTime) {
  OsRandom random;
  std::set<Bytes> seen;
  for (int i = 0; i < 100; ++i) {
    Bytes bytes(16);
    random.fill(bytes);
    seen.insert(bytes);
  }
  EXPECT_EQ(seen.size(), 100U);
  random.fill({});
}

// RFC 8439, A.1, test vector 1: ChaCha20 of the zero key and nonce from block 0.
TEST(StreamRandom, IsChaCha20OfItsSeed) {
  StreamRandom random(0);
  EXPECT_EQ(
      to_hex(drawn(random, 64)),
      "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8"
      "d84a376a43b8f41518a11cc387b669b2ee6586");
  // A.1, test vector 2: block 1 follows.
  EXPECT_EQ(
      to_hex(drawn(random, 64)),
      "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed29b721769ce64e43d57133b074"
      "d839d531ed1f28510afb45ace10a1f4b794d6f");
}

TEST(StreamRandom, IsOneChaCha20StreamAcrossItsBuffers) {
  const Bytes32 key{42};  // the seed, little-endian
  const std::array<std::uint8_t, crypto_stream_chacha20_NONCEBYTES> nonce{};
  Bytes expected(20'000);
  crypto_stream_chacha20(expected.data(), expected.size(), nonce.data(), key.data());
  StreamRandom random(42);
  EXPECT_EQ(drawn(random, expected.size()), expected);
}

TEST(StreamRandom, DoesNotDependOnHowItIsCut) {
  StreamRandom whole(7);
  StreamRandom cut(7);
  const Bytes expected = drawn(whole, 20'000);
  Bytes got;
  for (std::size_t size = 1; got.size() < expected.size(); size = size * 3 % 5003) {
    const Bytes piece = drawn(cut, std::min(size, expected.size() - got.size()));
    got.insert(got.end(), piece.begin(), piece.end());
  }
  EXPECT_EQ(got, expected);
}

TEST(StreamRandom, RepeatsForASeedAndDiffersBetweenSeeds) {
  StreamRandom a(1);
  StreamRandom b(1);
  StreamRandom c(2);
  const Bytes first = drawn(a, 100);
  EXPECT_EQ(first, drawn(b, 100));
  EXPECT_NE(first, drawn(c, 100));
  OsRandom os;
  StreamRandom d(os);
  StreamRandom e(os);
  EXPECT_NE(drawn(d, 100), drawn(e, 100));
}

TEST(StreamRandom, BelowIsUniformAndInRange) {
  StreamRandom random(3);
  std::array<int, 6> counts{};
  for (int i = 0; i < 60'000; ++i)
    ++counts.at(random.below(6));
  for (int count : counts)
    EXPECT_NEAR(count, 10'000, 5 * std::sqrt(10'000 * 5.0 / 6.0));
  EXPECT_EQ(random.below(1), 0U);
  // A bound of 3/4 of the range: without rejection, draws would fall below 2^62 twice as often.
  int low = 0;
  for (int i = 0; i < 30'000; ++i)
    low += random.below(std::uint64_t{3} << 62) < std::uint64_t{1} << 62 ? 1 : 0;
  EXPECT_NEAR(low, 10'000, 5 * std::sqrt(30'000 * 2.0 / 9.0));
  EXPECT_DEATH(random.below(0), "below zero");
}

TEST(StreamRandom, UnitIsInItsIntervalWithTheRightMean) {
  StreamRandom random(4);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double u = random.unit();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 5 * std::sqrt(1.0 / 12 / 100'000));
}

}  // namespace
}  // namespace sotto::crypto

// What verify_once.cc remembers is given to the same key, message and signature alone.
#include <gtest/gtest.h>

#include "common/crypto/sign.h"

namespace sotto::simulation {
namespace {

TEST(VerifyOnce, AnAnswerIsForTheSameBytesAlone) {
  crypto::StreamRandom random(1);
  const auto key = crypto::SigningKey::generate(random);
  const Bytes message{1, 2, 3};
  const crypto::Signature signature = key.sign(message);
  for (int time = 0; time < 2; ++time) {
    EXPECT_TRUE(crypto::verify(key.verify_key(), message, signature));
    EXPECT_FALSE(
        crypto::verify(crypto::SigningKey::generate(random).verify_key(), message, signature));
    EXPECT_FALSE(crypto::verify(key.verify_key(), Bytes{1, 2, 4}, signature));
    EXPECT_FALSE(crypto::verify(key.verify_key(), Bytes{1, 2}, signature));
    crypto::Signature other = signature;
    other[63] ^= 1;
    EXPECT_FALSE(crypto::verify(key.verify_key(), message, other));
  }
}

}  // namespace
}  // namespace sotto::simulation

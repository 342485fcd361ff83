#include <sodium.h>

#include "common/crypto/sign.h"
#include "tests/common/crypto/vectors.h"

namespace sotto::crypto {
namespace {

// RFC 8032, section 7.1, tests 1 to 3.
TEST(Sign, MatchesRfc8032) {
  struct Case {
    const char* seed;
    const char* key;
    const char* message;
    const char* signature;
  };

  const Case cases[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf"
       "9"
       "b46bd25bf5f0595bbe24655141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f"
       "1"
       "1d8c387b2eaeb4302aeeb00d291612bb0c00"},
      {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
       "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
       "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984"
       "d"
       "c6594a7c15e9716ed28dc027beceea1ec40a"},
  };
  for (const Case& c : cases) {
    const SigningKey key = SigningKey::from_seed(hex_secret(c.seed));
    const Bytes message = hex_bytes(c.message);
    EXPECT_EQ(to_hex(key.verify_key()), c.key);
    EXPECT_EQ(to_hex(key.sign(message)), c.signature);
    EXPECT_TRUE(verify(key.verify_key(), message, hex_array<64>(c.signature)));
    EXPECT_TRUE(key.seed().equals(hex_secret(c.seed)));
  }
}

TEST(Sign, AgreesWithWycheproof) {
  int checked = 0;
  const nlohmann::json vectors = crypto_vectors("wycheproof/ed25519_test.json");
  ASSERT_FALSE(vectors["testGroups"].empty());
  for (const auto& group : vectors["testGroups"]) {
    const VerifyKey key = hex_array<32>(group["publicKey"]["pk"]);
    for (const auto& test : group["tests"]) {
      const Bytes signature = hex_bytes(test["sig"]);
      const bool valid = test["result"] == "valid";
      if (signature.size() != sizeof(Signature)) {
        EXPECT_FALSE(valid);  // cannot be said in our types
        continue;
      }
      EXPECT_EQ(verify(key, hex_bytes(test["msg"]), hex_array<64>(test["sig"])), valid)
          << test["tcId"] << ": " << test["comment"];
      ++checked;
    }
  }
  EXPECT_GT(checked, 120);
}

TEST(Sign, EveryFlippedBitIsRefused) {
  StreamRandom random(1);
  const SigningKey key = SigningKey::generate(random);
  const Bytes message = {1, 2, 3, 4};
  const Signature good = key.sign(message);
  ASSERT_TRUE(verify(key.verify_key(), message, good));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    Signature bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(verify(key.verify_key(), message, bad)) << bit;
  }
  for (std::size_t bit = 0; bit < 32; ++bit) {
    Bytes other = message;
    other[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(verify(key.verify_key(), other, good)) << bit;
  }
}

TEST(Sign, RefusesAnSThatIsNotBelowTheGroupOrder) {
  // l, little-endian.
  const Bytes32 order =
      hex_array<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  StreamRandom random(2);
  const SigningKey key = SigningKey::generate(random);
  Signature malleated = key.sign({});
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += unsigned{malleated[32 + i]} + order[i];
    malleated[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  EXPECT_FALSE(verify(key.verify_key(), {}, malleated));
}

// With a key A of small order, R = S B fits S B = R + H(R, A, m) A whenever the order divides the
// hash: anybody can sign. 64 messages meet that with near certainty for the order 8.
TEST(Sign, RefusesKeysOfSmallOrder) {
  const char* const keys[] = {
      "0100000000000000000000000000000000000000000000000000000000000000",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0000000000000000000000000000000000000000000000000000000000000080",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
      // the same y again, plus p: not canonical
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  };
  Signature forged{};
  forged[32] = 5;
  ASSERT_EQ(crypto_scalarmult_ed25519_base_noclamp(forged.data(), forged.data() + 32), 0);
  for (const char* key : keys)
    for (std::uint8_t m = 0; m < 64; ++m)
      EXPECT_FALSE(verify(hex_array<32>(key), Bytes{m}, forged)) << key;
}

}  // namespace
}  // namespace sotto::crypto

#include <algorithm>

#include "common/crypto/key_agreement.h"
#include "tests/common/crypto/vectors.h"

namespace sotto::crypto {
namespace {

std::string agreed(const std::string& secret, const std::string& peer) {
  const Result<Secret32> shared = AgreementKey(hex_secret(secret)).agree(hex_array<32>(peer));
  return shared.ok() ? to_hex(shared->expose()) : "refused";
}

// RFC 7748, section 5.2.
TEST(KeyAgreement, MatchesRfc7748) {
  EXPECT_EQ(agreed("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                   "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
  EXPECT_EQ(agreed("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                   "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"),
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
}

// RFC 7748, section 5.2: k and u start at 9; each turn k becomes X25519(k, u) and u the old k.
TEST(KeyAgreement, MatchesAThousandIterationsOfRfc7748) {
  std::string k = "0900000000000000000000000000000000000000000000000000000000000000";
  std::string u = k;
  for (int i = 0; i < 1000; ++i) {
    const std::string next = agreed(k, u);
    u = k;
    k = next;
    if (i == 0) {
      EXPECT_EQ(k, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
  }
  EXPECT_EQ(k, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(KeyAgreement, BothSidesAgree) {
  StreamRandom random(1);
  const AgreementKey a(Secret32::random(random));
  const AgreementKey b(Secret32::random(random));
  const Result<Secret32> ab = a.agree(b.public_key());
  const Result<Secret32> ba = b.agree(a.public_key());
  ASSERT_TRUE(ab.ok() && ba.ok());
  EXPECT_TRUE(ab->equals(*ba));
}

TEST(KeyAgreement, AgreesWithWycheproofAndRefusesExactlyTheZeroSecrets) {
  const nlohmann::json vectors = crypto_vectors("wycheproof/x25519_test.json");
  const std::string zero(64, '0');
  int checked = 0;
  int refused = 0;
  for (const auto& group : vectors["testGroups"])
    for (const auto& test : group["tests"]) {
      const std::string expected = test["shared"] == zero ? "refused" : test["shared"];
      EXPECT_EQ(agreed(test["private"], test["public"]), expected) << test["tcId"];
      EXPECT_EQ(is_low_order(hex_array<32>(test["public"])), expected == "refused")
          << test["tcId"] << ": " << test["comment"];
      ++checked;
      refused += expected == "refused" ? 1 : 0;
    }
  EXPECT_EQ(checked, 518);
  EXPECT_GT(refused, 20);
}

TEST(KeyAgreement, LowOrderKeysAreKnownWithAndWithoutTheTopBit) {
  StreamRandom random(2);
  const AgreementKey key(Secret32::random(random));
  const char* const low[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  };
  for (const char* hex : low)
    for (const std::uint8_t top : {std::uint8_t{0}, std::uint8_t{0x80}}) {
      PublicKey u = hex_array<32>(hex);
      u.back() |= top;
      EXPECT_TRUE(is_low_order(u)) << hex;
      EXPECT_FALSE(key.agree(u).ok()) << hex;
    }
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(is_low_order(AgreementKey(Secret32::random(random)).public_key()));
}

TEST(KeyAgreement, KeepsTheSecretUnclamped) {
  Secret32 secret;
  std::ranges::fill(secret.writable(), std::uint8_t{0xff});
  Secret32 clamped = secret.clone();
  clamped.writable()[0] &= 248;
  clamped.writable()[31] &= 127;
  EXPECT_EQ(AgreementKey(std::move(secret)).public_key(),
            AgreementKey(std::move(clamped)).public_key());
}

}  // namespace
}  // namespace sotto::crypto

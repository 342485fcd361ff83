#include "common/crypto/aead.h"
#include "tests/common/crypto/vectors.h"

namespace sotto::crypto {
namespace {

struct Sealed {
  Secret32 key;
  Nonce nonce{};
  Bytes plaintext;
  Bytes associated_data;
  Bytes ciphertext;
};

Sealed sealed_share() {
  StreamRandom random(3);
  Sealed s{.key = Secret32::random(random),
           .nonce = {},
           .plaintext = Bytes(64),
           .associated_data = Bytes(20),
           .ciphertext = {}};
  random.fill(s.nonce);
  random.fill(s.plaintext);
  random.fill(s.associated_data);
  s.ciphertext = seal(s.key, s.nonce, s.plaintext, s.associated_data);
  return s;
}

/// False, with the output zeroed, or the test fails.
bool opens(const Secret32& key, const Nonce& nonce, const Bytes& ciphertext, const Bytes& ad) {
  Bytes out(ciphertext.size() < kAeadTagBytes ? 0 : ciphertext.size() - kAeadTagBytes, 0xaa);
  if (open(key, nonce, ciphertext, ad, out)) return true;
  EXPECT_EQ(out, Bytes(out.size()));
  return false;
}

TEST(Aead, AgreesWithWycheproof) {
  const nlohmann::json vectors = crypto_vectors("wycheproof/xchacha20_poly1305_test.json");
  int checked = 0;
  for (const auto& group : vectors["testGroups"])
    for (const auto& test : group["tests"]) {
      const bool valid = test["result"] == "valid";
      if (group["ivSize"] != 192) {
        EXPECT_FALSE(valid);  // cannot be said in our types
        continue;
      }
      const Secret32 key = hex_secret(test["key"]);
      const Nonce nonce = hex_array<24>(test["iv"]);
      const Bytes ad = hex_bytes(test["aad"]);
      const Bytes message = hex_bytes(test["msg"]);
      const Bytes ciphertext = hex_bytes(std::string(test["ct"]) + std::string(test["tag"]));
      Bytes opened(ciphertext.size() - kAeadTagBytes);
      EXPECT_EQ(open(key, nonce, ciphertext, ad, opened), valid) << test["tcId"];
      EXPECT_EQ(opened, valid ? message : Bytes(opened.size())) << test["tcId"];
      EXPECT_EQ(seal(key, nonce, message, ad) == ciphertext, valid) << test["tcId"];
      ++checked;
    }
  EXPECT_GT(checked, 250);
}

TEST(Aead, OpensWhatItSealed) {
  const Sealed s = sealed_share();
  EXPECT_EQ(s.ciphertext.size(), s.plaintext.size() + kAeadTagBytes);
  Bytes out(s.plaintext.size());
  EXPECT_TRUE(open(s.key, s.nonce, s.ciphertext, s.associated_data, out));
  EXPECT_EQ(out, s.plaintext);
}

TEST(Aead, RefusesEveryFlippedBit) {
  const Sealed s = sealed_share();
  const auto flip = [](auto bytes, std::size_t bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    return bytes;
  };
  for (std::size_t bit = 0; bit < 8 * s.ciphertext.size(); ++bit)
    EXPECT_FALSE(opens(s.key, s.nonce, flip(s.ciphertext, bit), s.associated_data)) << bit;
  for (std::size_t bit = 0; bit < 8 * s.associated_data.size(); ++bit)
    EXPECT_FALSE(opens(s.key, s.nonce, s.ciphertext, flip(s.associated_data, bit))) << bit;
  for (std::size_t bit = 0; bit < 8 * s.nonce.size(); ++bit)
    EXPECT_FALSE(opens(s.key, flip(s.nonce, bit), s.ciphertext, s.associated_data)) << bit;
  for (std::size_t bit = 0; bit < 256; ++bit) {
    Secret32 key = s.key.clone();
    key.writable()[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    EXPECT_FALSE(opens(key, s.nonce, s.ciphertext, s.associated_data)) << bit;
  }
}

TEST(Aead, RefusesEveryTruncationAndExtension) {
  const Sealed s = sealed_share();
  for (std::size_t size = 0; size < s.ciphertext.size(); ++size)
    EXPECT_FALSE(
        opens(s.key, s.nonce,
              Bytes(s.ciphertext.begin(), s.ciphertext.begin() + static_cast<std::ptrdiff_t>(size)),
              s.associated_data))
        << size;
  Bytes longer = s.ciphertext;
  longer.push_back(0);
  EXPECT_FALSE(opens(s.key, s.nonce, longer, s.associated_data));
  for (std::size_t size = 0; size < s.associated_data.size(); ++size)
    EXPECT_FALSE(opens(s.key, s.nonce, s.ciphertext,
                       Bytes(s.associated_data.begin(),
                             s.associated_data.begin() + static_cast<std::ptrdiff_t>(size))))
        << size;
}

}  // namespace
}  // namespace sotto::crypto

#include "common/crypto/hash.h"
#include "tests/common/crypto/vectors.h"

namespace sotto::crypto {
namespace {

TEST(Hash, MatchesAnIndependentBlake2b) {
  const nlohmann::json vectors = crypto_vectors("sotto_vectors.json");
  for (const auto& v : vectors["hash"]) {
    const Bytes message = hex_bytes(v["message"]);
    const std::string label = v["label"];
    EXPECT_EQ(to_hex(hash(label, {message})), v["hash"]);
    EXPECT_EQ(to_hex(kdf(label, hex_secret(v["key"]), {message}).expose()), v["kdf"]);
  }
}

TEST(Hash, OfAKeyAndKdfWithItDiffer) {
  const nlohmann::json vectors = crypto_vectors("sotto_vectors.json");
  ASSERT_FALSE(vectors["hash"].empty());
  for (const auto& v : vectors["hash"]) {
    const Bytes key = hex_bytes(v["key"]);
    const Bytes message = hex_bytes(v["message"]);
    EXPECT_EQ(to_hex(hash(std::string(v["label"]), {key, message})), v["hash_of_key"]);
    EXPECT_NE(v["hash_of_key"], v["kdf"]);
  }
}

TEST(Hash, IsOfTheConcatenationHoweverItIsCut) {
  Bytes message(300);
  for (std::size_t i = 0; i < message.size(); ++i)
    message[i] = static_cast<std::uint8_t>(i * 7);
  const BytesView all(message);
  const Bytes32 whole = hash("SA1 y", {all});
  for (std::size_t cut : {0U, 1U, 127U, 128U, 129U, 256U, 300U}) {
    EXPECT_EQ(hash("SA1 y", {all.first(cut), all.subspan(cut)}), whole) << cut;
    Hasher hasher("SA1 y");
    hasher.update(all.first(cut));
    hasher.update(all.subspan(cut));
    EXPECT_EQ(hasher.finish(), whole) << cut;
  }
}

TEST(Hash, SeparatesLabels) {
  EXPECT_NE(hash("SA1 u1", {}), hash("SA1 u2", {}));
  const Secret32 key;
  EXPECT_FALSE(kdf("SA1 pair", key, {}).equals(kdf("SA1 lane", key, {})));
}

TEST(Hash, RefusesALabelThatDoesNotFit) {
  EXPECT_DEATH(hash("seventeen letters", {}), "1 to 16 bytes");
  EXPECT_DEATH(hash("", {}), "1 to 16 bytes");
}

TEST(Hash, FinishesOnce) {
  Hasher hasher("SA1 y");
  hasher.finish();
  EXPECT_DEATH(hasher.finish(), "finished once");
}

}  // namespace
}  // namespace sotto::crypto

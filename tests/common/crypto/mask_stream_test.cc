#include <concepts>

#include "common/crypto/keystream_cipher.h"
#include "common/crypto/mask_stream.h"
#include "tests/common/crypto/vectors.h"

namespace sotto::crypto {
namespace {

std::vector<MaskBackend> backends() {
  std::vector<MaskBackend> out = {MaskBackend::kOpenssl};
  if (mask_backend_available(MaskBackend::kIpsecMb)) out.push_back(MaskBackend::kIpsecMb);
  return out;
}

std::unique_ptr<KeystreamCipher> cipher_of(const Secret32& key, MaskBackend backend) {
  return backend == MaskBackend::kIpsecMb ? make_ipsec_mb_cipher(key) : make_openssl_cipher(key);
}

std::vector<MaskTerm> random_terms(StreamRandom& random, std::size_t count) {
  std::vector<MaskTerm> terms;
  for (std::size_t i = 0; i < count; ++i)
    terms.push_back({.key = Secret32::random(random),
                     .sign = random.below(2) == 0 ? MaskSign::kAdd : MaskSign::kSubtract});
  return terms;
}

template <std::unsigned_integral Word>
std::vector<Word> random_words(StreamRandom& random, std::size_t count) {
  std::vector<Word> out(count);
  for (Word& word : out)
    word = static_cast<Word>(random.next_u64());
  return out;
}

/// The specification read aloud: one byte of the stream after the other.
template <std::unsigned_integral Word>
void add_one_word_at_a_time(std::span<Word> acc, std::uint32_t lane, std::uint64_t first_word,
                            std::span<const MaskTerm> terms) {
  for (const MaskTerm& term : terms) {
    Bytes stream(acc.size_bytes());
    keystream(term.key, lane, first_word * sizeof(Word) / 16, stream, MaskBackend::kOpenssl);
    for (std::size_t i = 0; i < acc.size(); ++i) {
      Word word = 0;
      for (std::size_t b = 0; b < sizeof(Word); ++b)
        word = static_cast<Word>(word | Word{stream[i * sizeof(Word) + b]} << (8 * b));
      acc[i] = static_cast<Word>(term.sign == MaskSign::kAdd ? acc[i] + word : acc[i] - word);
    }
  }
}

template <class Word>
class MaskStreamOf : public testing::Test {};

using Words = testing::Types<std::uint16_t, std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(MaskStreamOf, Words);

// NIST SP 800-38A, F.5.5.
TEST(MaskStream, MatchesNistCtrAes256) {
  const Secret32 key =
      hex_secret("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
  const auto counter = hex_array<16>("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  const Bytes plaintext = hex_bytes(
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a"
      "52eff69f2445df4f9b17ad2b417be66c3710");
  for (MaskBackend backend : backends()) {
    Bytes out(64);
    cipher_of(key, backend)->generate(counter, out);
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] ^= plaintext[i];
    EXPECT_EQ(
        to_hex(out),
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce8701"
        "7ba2d84988ddfc9c58db67aada613c2dd08457941a6")
        << name(backend);
  }
}

TEST(MaskStream, MatchesAnIndependentCounterLayout) {
  const nlohmann::json vectors = crypto_vectors("sotto_vectors.json");
  ASSERT_FALSE(vectors["mask"].empty());
  for (const auto& v : vectors["mask"])
    for (MaskBackend backend : backends()) {
      Bytes out(64);
      keystream(hex_secret(v["key"]), v["lane"], v["first_block"], out, backend);
      EXPECT_EQ(to_hex(out), v["stream"]) << name(backend) << " " << v["first_block"];
    }
}

TEST(MaskStream, IpsecMbIsTheDefaultWhereItRuns) {
  EXPECT_TRUE(mask_backend_available(default_mask_backend()));
  EXPECT_TRUE(mask_backend_available(MaskBackend::kOpenssl));
  const bool has_ipsec_mb = mask_backend_available(MaskBackend::kIpsecMb);
  EXPECT_EQ(default_mask_backend(), has_ipsec_mb ? MaskBackend::kIpsecMb : MaskBackend::kOpenssl);
}

TYPED_TEST(MaskStreamOf, BothBackendsAddTheSameWordsAnywhere) {
  using Word = TypeParam;
  StreamRandom random(sizeof(Word));
  constexpr std::uint64_t kWordsPerBlock = 16 / sizeof(Word);
  for (int round = 0; round < 300; ++round) {
    const std::size_t size = random.below(round % 10 == 0 ? 20'000 : 300);
    const auto lane = static_cast<std::uint32_t>(random.next_u64() >> random.below(32));
    // Everywhere in the key, and often at its end.
    const std::uint64_t blocks = size / kWordsPerBlock + 1;
    const std::uint64_t last = (std::uint64_t{1} << 28) - blocks;
    const std::uint64_t block = round % 3 == 0 ? last : random.below(last);
    const std::vector<MaskTerm> terms = random_terms(random, random.below(5));
    const std::vector<Word> start = random_words<Word>(random, size);
    std::vector<Word> expected = start;
    add_one_word_at_a_time<Word>(expected, lane, block * kWordsPerBlock, terms);
    for (MaskBackend backend : backends()) {
      std::vector<Word> got = start;
      add_masks(std::span<Word>(got), lane, block * kWordsPerBlock, terms, backend);
      ASSERT_EQ(got, expected) << name(backend) << " size " << size << " block " << block;
    }
  }
}

TYPED_TEST(MaskStreamOf, PiecesInAnyOrderMakeTheWhole) {
  using Word = TypeParam;
  StreamRandom random(7);
  const std::vector<MaskTerm> terms = random_terms(random, 3);
  const std::size_t piece = 3 * 16;
  std::vector<Word> whole(20 * piece + 5);
  std::vector<Word> pieces = whole;
  add_masks(std::span<Word>(whole), 1, 0, terms);
  for (std::size_t at = 0; at < pieces.size(); at += 2 * piece)
    add_masks(std::span<Word>(pieces).subspan(at).first(std::min(piece, pieces.size() - at)), 1, at,
              terms);
  for (std::size_t at = piece; at < pieces.size(); at += 2 * piece)
    add_masks(std::span<Word>(pieces).subspan(at).first(std::min(piece, pieces.size() - at)), 1, at,
              terms);
  EXPECT_EQ(whole, pieces);
}

TYPED_TEST(MaskStreamOf, TheTwoSidesOfAPairCancel) {
  using Word = TypeParam;
  StreamRandom random(8);
  std::vector<MaskTerm> pair;
  const Secret32 key = Secret32::random(random);
  pair.push_back({.key = key.clone(), .sign = MaskSign::kAdd});
  const std::vector<Word> start = random_words<Word>(random, 5000);
  std::vector<Word> words = start;
  add_masks(std::span<Word>(words), 0, 0, pair);
  EXPECT_NE(words, start);
  pair[0].sign = MaskSign::kSubtract;
  add_masks(std::span<Word>(words), 0, 0, pair);
  EXPECT_EQ(words, start);
}

TEST(MaskStream, LanesAndKeysHaveStreamsOfTheirOwn) {
  StreamRandom random(9);
  const Secret32 a = Secret32::random(random);
  const Secret32 b = Secret32::random(random);
  Bytes a0(64);
  Bytes a1(64);
  Bytes b0(64);
  keystream(a, 0, 0, a0);
  keystream(a, 1, 0, a1);
  keystream(b, 0, 0, b0);
  EXPECT_NE(a0, a1);
  EXPECT_NE(a0, b0);
}

TEST(MaskStream, AKeyIsGoodFor2To28Blocks) {
  const Secret32 key;
  constexpr std::uint64_t kBlocks = std::uint64_t{1} << 28;
  Bytes last(16);
  keystream(key, 0, kBlocks - 1, last);
  Bytes beyond(17);
  EXPECT_DEATH(keystream(key, 0, kBlocks - 1, beyond), "2\\^28");
  EXPECT_DEATH(keystream(key, 0, UINT64_MAX, last), "2\\^28");
  std::vector<std::uint32_t> words(5);
  EXPECT_DEATH(add_masks(std::span(words), 0, (kBlocks - 1) * 4, {}), "2\\^28");
}

TEST(MaskStream, StartsAtABlock) {
  std::vector<std::uint32_t> words(4);
  EXPECT_DEATH(add_masks(std::span(words), 0, 2, {}), "at a block");
}

}  // namespace
}  // namespace sotto::crypto

#include "participant/learning/tokenizer.h"

#include <fstream>
#include <iterator>
#include <sstream>

#include <gtest/gtest.h>

namespace sotto::learning {
namespace {

const std::filesystem::path kVectors =
    std::filesystem::path(SOTTO_SOURCE_DIR) / "tests/vectors/tokenizer";

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> golden_texts() {
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  std::string rest = contents(kVectors / "bert_uncased.inp");
  for (std::size_t at = 0; (at = rest.find(separator)) != std::string::npos;) {
    texts.push_back(rest.substr(0, at));
    rest.erase(0, at + separator.size());
  }
  texts.push_back(rest);  // the last text is empty, and so is its line of ids
  return texts;
}

Tokenizer bert() {
  return Tokenizer(Vocabulary::load(kVectors / "bert_uncased_vocab.txt").value());
}

TEST(Tokenizer, ReproducesAllGoldenTextsOfBert) {
  const Tokenizer tokenizer = bert();
  const auto texts = golden_texts();
  std::istringstream expected(contents(kVectors / "bert_uncased.out"));
  ASSERT_EQ(texts.size(), 47U);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::string line;
    std::getline(expected, line);
    std::istringstream numbers(line);
    const std::vector<std::int32_t> ids{std::istream_iterator<std::int32_t>(numbers), {}};
    EXPECT_EQ(tokenizer.encode(texts[i]), ids) << "text " << i + 1;
  }
}

TEST(Tokenizer, FramesAndCutsToTheLongestLength) {
  const Tokenizer tokenizer = bert();
  const auto ids = tokenizer.encode_framed("one two three four", 4);
  ASSERT_EQ(ids.size(), 4U);
  EXPECT_EQ(ids.front(), tokenizer.vocabulary().cls());
  EXPECT_EQ(ids.back(), tokenizer.vocabulary().sep());
  EXPECT_EQ(tokenizer.encode_framed("", 4).size(), 2U);
}

TEST(Tokenizer, DropsControlCharactersAndBadBytesAndStripsAccents) {
  const Tokenizer tokenizer = bert();
  EXPECT_EQ(tokenizer.encode("he\x01llo \xC3\x89T\xC3\xA9\xFF"), tokenizer.encode("hello ete"));
}

TEST(Tokenizer, MakesOneUnknownOfAWordThatIsTooLong) {
  const Tokenizer tokenizer = bert();
  EXPECT_EQ(tokenizer.encode(std::string(101, 'a')),
            std::vector<std::int32_t>{tokenizer.vocabulary().unknown()});
  EXPECT_GT(tokenizer.encode(std::string(100, 'a')).size(), 1U);
}

TEST(Vocabulary, RefusesRepeatedAndMissingSpecialPieces) {
  EXPECT_FALSE(Vocabulary::from_pieces({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "a"}).ok());
  EXPECT_FALSE(Vocabulary::from_pieces({"[PAD]", "[UNK]", "[CLS]", "a"}).ok());
  EXPECT_TRUE(Vocabulary::from_pieces({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"}).ok());
}

TEST(Vocabulary, BuiltFromTextHoldsItsFrequentWordsAndIsTheSameEveryTime) {
  const std::vector<std::string> texts{"play the song", "play a song", "Play the album", "plays"};
  const auto built = build_vocabulary(texts, 60).value();
  EXPECT_TRUE(built.find("play"));
  EXPECT_TRUE(built.find("song"));
  EXPECT_EQ(built.find("[PAD]"), 0);
  EXPECT_EQ(built.pieces(), build_vocabulary(texts, 60).value().pieces());
  const Tokenizer tokenizer(built);
  for (const std::int32_t id : tokenizer.encode("play the song"))
    EXPECT_NE(id, built.unknown());
  EXPECT_EQ(tokenizer.encode("play song").size(), 2U);
}

TEST(Vocabulary, NeverGrowsBeyondTheSizeAsked) {
  const std::vector<std::string> texts{"abcdef abc abd", "abe abf"};
  EXPECT_LE(build_vocabulary(texts, 8).value().pieces().size(), 8U);
  EXPECT_FALSE(build_vocabulary(texts, 4).ok());
}

}  // namespace
}  // namespace sotto::learning

// Going on with a text: the cache changes nothing, the golden text comes out piece by piece, and
// sampling draws what it says.
#include <cmath>
#include <fstream>
#include <map>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "participant/learning/tasks/sampling.h"
#include "participant/learning/torch_models.h"
#include "participant/text/tokenizer.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using at::Tensor;
using nlohmann::json;

const fs::path kStories = SOTTO_SOURCE_DIR "/configs/tinyshakespeare/model";

json golden() {
  std::ifstream in(SOTTO_SOURCE_DIR "/tests/vectors/stories260K/greedy.json");
  return json::parse(in);
}

/// Every token a whole forward pass: the oracle of the cache.
std::vector<std::int32_t> greedy_without_cache(const Transformer& model,
                                               std::vector<std::int32_t> ids, std::size_t size) {
  while (ids.size() < size) {
    const Tensor logits = model.next_token_logits(batch_of({{ids, 0}}), {});
    ids.push_back(static_cast<std::int32_t>(logits.argmax(1).item<std::int64_t>()));
  }
  return ids;
}

struct Piecewise {
  std::vector<std::string> pieces;

  [[nodiscard]] std::string text() const {
    std::string out;
    for (const std::string& piece : pieces)
      out += piece;
    return out;
  }
};

Piecewise generated(training::TextGenerator& generator, std::string_view prompt,
                    const training::GenerationSettings& settings, std::uint64_t seed = 1) {
  crypto::StreamRandom random(seed);
  const Status started = generator.start(prompt, settings);
  EXPECT_TRUE(started.ok());
  Piecewise out;
  for (;;) {
    const auto piece = generator.next(random);
    EXPECT_TRUE(piece.ok());
    if (!piece.ok() || !piece->has_value()) return out;
    out.pieces.push_back(**piece);
  }
}

class CachedModel : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, CachedModel,
                         ::testing::Values("gpt2", "llama", "llama3", "qwen2"),
                         [](const auto& family) { return std::string(family.param); });

TEST_P(CachedModel, SaysTheSameAsTheWholeTextHoweverItIsCut) {
  const auto model = model_from(kVectors / GetParam(), language_spec(kVectors / GetParam()));
  const at::NoGradGuard no_grad;
  const std::vector<std::int32_t> text{5, 3, 7, 3, 1, 9, 2, 4};
  for (const std::vector<std::size_t>& cuts :
       {std::vector<std::size_t>{8}, {1, 1, 1, 1, 1, 1, 1, 1}, {3, 1, 4}, {5, 3}}) {
    KeyValueCache cache;
    std::size_t read = 0;
    for (const std::size_t count : cuts) {
      const auto begin = text.begin() + static_cast<std::ptrdiff_t>(read);
      const Sequence part{{begin, begin + static_cast<std::ptrdiff_t>(count)}, 0};
      const Tensor cached = model->next_token_logits(batch_of({part}), {.cache = &cache});
      read += count;
      const Sequence whole{{text.begin(), text.begin() + static_cast<std::ptrdiff_t>(read)}, 0};
      const Tensor expected = model->next_token_logits(batch_of({whole}), {});
      EXPECT_LT((cached - expected).abs().max().item<double>(), 1e-5) << read;
      EXPECT_EQ(cache.positions, static_cast<std::int64_t>(read));
    }
  }
}

TEST(Generation, GivesTheGoldenTextOfStories260KPieceByPiece) {
  const json expected = golden();
  const auto ids = expected["greedy_ids"].get<std::vector<std::int32_t>>();
  const auto generator = open_text_generator(kStories).value();
  const auto tokens = static_cast<std::uint32_t>(ids.size() - 1);
  const Piecewise said = generated(*generator, "", {.max_new_tokens = tokens});
  EXPECT_EQ(said.text(), expected["greedy_text"]);
  EXPECT_EQ(said.pieces.size(), tokens);
  EXPECT_EQ(generator->generated(), tokens);
  const auto model = model_from(kStories, language_spec(kStories));
  EXPECT_EQ(greedy_without_cache(*model, expected["prompt_ids"], 60),
            std::vector(ids.begin(), ids.begin() + 60));
}

TEST(Generation, GoesOnWithAPromptWhereItEnds) {
  const auto generator = open_text_generator(kStories).value();
  const std::string whole = golden()["greedy_text"];
  const std::string prompt = whole.substr(0, whole.find(' ', 12));  // of whole words
  const std::string more = generated(*generator, prompt, {.max_new_tokens = 40}).text();
  EXPECT_EQ(whole.substr(0, prompt.size() + more.size()), prompt + more);
  EXPECT_GT(more.size(), 40U);
}

TEST(Generation, PiecesAreTheWholeTextAndHoldNoHalfCharacter) {
  const auto generator = open_text_generator(kStories).value();
  const training::GenerationSettings wild{.max_new_tokens = 100, .sampling = {.temperature = 5}};
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const Piecewise said = generated(*generator, "Once", wild, seed);
    EXPECT_EQ(said.text(), generated(*generator, "Once", wild, seed).text()) << "the seed decides";
    bool waited = false;
    for (const std::string& piece : said.pieces)
      waited |= piece.empty();
    EXPECT_TRUE(waited) << "no byte of a longer character was drawn: this tests nothing";
  }
  EXPECT_NE(generated(*generator, "Once", wild, 1).text(),
            generated(*generator, "Once", wild, 2).text());
}

/// A copy of the model whose config says something else.
fs::path changed_stories(const std::string& key, const json& value) {
  const fs::path folder = own_folder();
  for (const char* file : {"model.safetensors", "tokenizer.json"})
    fs::copy_file(kStories / file, folder / file);
  std::ifstream in(kStories / "config.json");
  json config = json::parse(in);
  config[key] = value;
  std::ofstream(folder / "config.json") << config;
  return folder;
}

TEST(Generation, EndsAtTheModelsEndToken) {
  const auto ids = golden()["greedy_ids"].get<std::vector<std::int32_t>>();
  const auto first = std::find(ids.begin() + 1, ids.end(), ids[20]) - ids.begin();
  const auto generator =
      open_text_generator(changed_stories("eos_token_id", {ids[20], 511})).value();
  (void)generated(*generator, "", {.max_new_tokens = 100});
  EXPECT_EQ(generator->generated(), static_cast<std::uint32_t>(first));
}

TEST(Generation, EndsAtTheModelsLastPositionAndRefusesALongerPrompt) {
  const auto generator =
      open_text_generator(changed_stories("max_position_embeddings", 12)).value();
  (void)generated(*generator, "", {.max_new_tokens = 100});
  EXPECT_EQ(generator->generated(), 11U);
  const std::string prompt = "Once upon a time there was a little girl who had a very large dog";
  const Status long_one = generator->start(prompt, {});
  ASSERT_FALSE(long_one.ok());
  EXPECT_NE(long_one.error().message.find("the model has 12 positions"), std::string::npos);
}

TEST(Generation, RefusesWhatIsNoLanguageModelByName) {
  const auto bert = open_text_generator(SOTTO_SOURCE_DIR "/configs/quickstart/model");
  ASSERT_FALSE(bert.ok());
  EXPECT_NE(bert.error().message.find("not a causal language model"), std::string::npos);
  EXPECT_FALSE(open_text_generator("/nonexistent").ok());
}

std::map<std::int32_t, double> frequencies(const std::vector<float>& logits,
                                           const training::Sampling& sampling) {
  crypto::StreamRandom random(7);
  constexpr int kDraws = 40'000;
  std::map<std::int32_t, double> out;
  for (int i = 0; i < kDraws; ++i)
    out[next_token(logits, sampling, random)] += 1.0 / kDraws;
  return out;
}

/// Probabilities 1/8, 1/2, 1/4, 1/8. The tolerance is more than five standard deviations.
TEST(Sampling, DrawsInTheProportionsThatItsSettingsSay) {
  const float l = std::log(2.0F);
  const std::vector<float> logits{0, 2 * l, l, 0};
  const auto expect = [&](const training::Sampling& sampling, std::vector<double> wanted) {
    auto found = frequencies(logits, sampling);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      EXPECT_NEAR(found[static_cast<std::int32_t>(i)], wanted[i], 0.014)
          << "token " << i << " at " << sampling.temperature << " " << sampling.top_k << " "
          << sampling.top_p;
  };
  expect({.temperature = 0}, {0, 1, 0, 0});
  expect({.temperature = 1}, {0.125, 0.5, 0.25, 0.125});
  expect({.temperature = 0.5}, {1 / 22.0, 16 / 22.0, 4 / 22.0, 1 / 22.0});
  expect({.temperature = 1, .top_k = 2}, {0, 2 / 3.0, 1 / 3.0, 0});
  expect({.temperature = 1, .top_k = 1}, {0, 1, 0, 0});
  expect({.temperature = 1, .top_k = 99}, {0.125, 0.5, 0.25, 0.125});
  expect({.temperature = 1, .top_p = 0.4}, {0, 1, 0, 0});
  expect({.temperature = 1, .top_p = 0.7}, {0, 2 / 3.0, 1 / 3.0, 0});
  expect({.temperature = 1, .top_p = 0.8}, {1 / 7.0, 4 / 7.0, 2 / 7.0, 0});
  expect({.temperature = 1, .top_k = 2, .top_p = 0.6}, {0, 1, 0, 0});  // 2/3 of the two alone
}

}  // namespace
}  // namespace sotto::learning

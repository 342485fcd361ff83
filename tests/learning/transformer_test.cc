// Every family against logits that an independent implementation computed
// (tests/vectors/transformers), and a pretrained model against its golden text.
#include <cmath>
#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "participant/learning/generate_torch.h"
#include "tests/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

using at::Tensor;
using nlohmann::json;

constexpr double kTolerance = 1e-4;

json read_json(const std::filesystem::path& file) {
  std::ifstream in(file);
  return json::parse(in);
}

std::vector<Sequence> texts_of(const json& expected) {
  std::vector<Sequence> texts;
  for (const json& ids : expected["ids"])
    texts.push_back({ids.get<std::vector<std::int32_t>>(), 0});
  return texts;
}

double furthest(const Tensor& found, const std::vector<double>& expected) {
  return (found.flatten().to(at::kDouble) - at::tensor(expected, at::kDouble))
      .abs()
      .max()
      .item<double>();
}

class LanguageModels : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, LanguageModels,
                         ::testing::Values("gpt2", "llama", "qwen2", "llama3"),
                         [](const auto& name) { return std::string(name.param); });

TEST_P(LanguageModels, AgreeWithAnIndependentImplementation) {
  const auto folder = kVectors / GetParam();
  const json expected = read_json(folder / "expected.json");
  const auto model = model_from(folder, language_spec(folder));
  const std::vector<Sequence> texts = texts_of(expected);
  const Batch batch = batch_of(texts);  // of different lengths: padding must change nothing
  const Tensor logits = model->logits(batch, {});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const auto length = static_cast<std::int64_t>(texts[i].ids.size());
    for (std::int64_t t = 0; t < length; ++t)
      EXPECT_LT(furthest(logits[row][t], expected["logits"][i][static_cast<std::size_t>(t)]),
                kTolerance)
          << "text " << i << ", position " << t;
    EXPECT_LT(furthest(model->next_token_logits(batch)[row], expected["logits"][i].back()),
              kTolerance);
  }
  EXPECT_LT(furthest(model->losses(batch, {}), expected["losses"]), kTolerance);
}

TEST(Bert, AgreesWithAnIndependentImplementation) {
  const auto folder = kVectors / "bert";
  const json expected = read_json(folder / "expected.json");
  const auto model = model_from(folder, classifier_spec(folder, 3));
  const Tensor logits = model->logits(batch_of(texts_of(expected)), {});
  ASSERT_EQ(logits.size(0), 3);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_LT(furthest(logits[static_cast<std::int64_t>(i)], expected["logits"][i]), kTolerance);
}

/// What the ids of a Llama tokenizer stand for.
std::string decoded(const std::vector<std::int32_t>& ids, const json& tokenizer) {
  std::vector<std::string> pieces(512);
  for (const auto& [piece, id] : tokenizer["model"]["vocab"].items())
    pieces.at(id.get<std::size_t>()) = piece;
  std::string text;
  for (const std::int32_t id : ids) {
    std::string piece = pieces.at(static_cast<std::size_t>(id));
    if (id < 3) continue;  // <unk>, <s>, </s>
    if (piece.starts_with("<0x"))
      piece = static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16));
    for (std::size_t at; (at = piece.find("\u2581")) != std::string::npos;)
      piece.replace(at, 3, " ");
    text += piece;
  }
  return text.starts_with(" ") ? text.substr(1) : text;
}

TEST(Stories260K, GivesExactlyItsGoldenGreedyText) {
  const std::filesystem::path folder = SOTTO_SOURCE_DIR "/configs/tinyshakespeare/model";
  const json golden = read_json(SOTTO_SOURCE_DIR "/tests/vectors/stories260K/greedy.json");
  const auto model = model_from(folder, language_spec(folder));
  EXPECT_EQ(model->values().numel(), 260032);
  const auto expected = golden["greedy_ids"].get<std::vector<std::int32_t>>();
  const auto ids = generate_greedy(*model, golden["prompt_ids"], expected.size() - 1);
  EXPECT_EQ(ids, expected);
  EXPECT_EQ(decoded(ids, read_json(folder / "tokenizer.json")), golden["greedy_text"]);
  const std::vector<Sequence> start{{golden["prompt_ids"], 0}};
  EXPECT_LT(furthest(model->next_token_logits(batch_of(start)), golden["first_step_logits"]),
            kTolerance);
}

TEST(Generation, EndsAtTheModelsLastPosition) {
  const auto folder = kVectors / "gpt2";
  const auto model = model_from(folder, language_spec(folder));
  EXPECT_EQ(generate_greedy(*model, {1, 2}, 100).size(), 12U);
  EXPECT_EQ(generate_greedy(*model, {1, 2}, 0), (std::vector<std::int32_t>{1, 2}));
}

}  // namespace
}  // namespace sotto::learning

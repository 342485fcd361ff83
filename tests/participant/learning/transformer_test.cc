// Every family against logits that an independent implementation computed
// (tests/vectors/transformers), and a pretrained model against its golden text.
#include <cmath>
#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/participant/learning/test_device.h"
#include "tests/participant/learning/transformer_fixture.h"

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
  return (found.flatten().to(at::kCPU, at::kDouble) - at::tensor(expected, at::kDouble))
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
    EXPECT_LT(furthest(model->next_token_logits(batch, {})[row], expected["logits"][i].back()),
              kTolerance);
  }
  EXPECT_LT(furthest(losses_of(*model, batch, {}), expected["losses"]), kTolerance);
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

TEST(Stories260K, GivesItsGoldenLogits) {
  const std::filesystem::path folder = SOTTO_SOURCE_DIR "/configs/tinyshakespeare/model";
  const json golden = read_json(SOTTO_SOURCE_DIR "/tests/vectors/stories260K/greedy.json");
  const auto model = model_from(folder, language_spec(folder));
  EXPECT_EQ(model->values().numel(), 260032);
  const std::vector<Sequence> start{{golden["prompt_ids"], 0}};
  EXPECT_LT(furthest(model->next_token_logits(batch_of(start), {}), golden["first_step_logits"]),
            kTolerance);
}

}  // namespace
}  // namespace sotto::learning

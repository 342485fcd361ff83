// A coordinator chooses the weights of every round. Those here are made so that the gradients of
// one line's positions cancel in float32 while their parts are large: the norm that is computed of
// their sum says little, and the line must still move the sum of gradients by the clipping norm at
// most.
#include <cmath>
#include <fstream>
#include <iostream>
#include <ostream>

#include <gtest/gtest.h>

#include "participant/learning/blas.h"
#include "participant/learning/torch_models.h"
#include "participant/text/tokenizer.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWidth = 64, kWords = 512;
/// So large that the update is not lost in the rounding of weights of 1e6.
constexpr double kRate = 1e7;
const fs::path kExample = SOTTO_SOURCE_DIR "/configs/tinyshakespeare";

struct Case {
  config::Clipping rule;
  double gain;  // of the norm before the head
  bool checkpointing = false, tied = false, bfloat16 = false;

  friend void PrintTo(const Case& c, std::ostream* out) {
    *out << config::word_of(c.rule) << " " << c.gain;
  }
};

class CraftedWeights : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    fs::copy(kExample / "model/tokenizer.json", folder_ / "tokenizer.json");
    std::ofstream(folder_ / "config.json")
        << R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 512,)"
        << R"( "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 8,)"
        << R"( "num_key_value_heads": 8, "intermediate_size": 64, "rms_norm_eps": 1e-05,)"
        << R"( "max_position_embeddings": 512, "rope_theta": 10000.0, "hidden_act": "silu",)"
        << R"( "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": )"
        << (GetParam().tied ? "true}" : "false}");
    job_.model = {
        .path = folder_.string(), .max_length = 40, .initial = config::InitialModel::kRandom};
    job_.task.type = "causal_language_modeling";
    job_.differential_privacy = {
        .clipping_norm = 1, .clipping = GetParam().rule, .noise_multiplier = 1e-6};
    job_.local_training = {.local_steps = 1,
                           .sampling_rate = 1,
                           .optimizer = config::LocalOptimizer::kSgd,
                           .learning_rate = kRate};
    resources_ = {.device = test_device_setting(),
                  .threads = 1,
                  .gradient_checkpointing = GetParam().checkpointing};
    if (GetParam().bfloat16) resources_.precision = config::Precision::kBfloat16;
    craft();
  }

  std::span<float> values_of(const std::string& name) {
    std::size_t at = 0;
    for (const ParameterShape& p : model_.layout) {
      if (p.name == name) return std::span(model_.values).subspan(at, p.count());
      at += p.count();
    }
    ADD_FAILURE() << name;
    return {};
  }

  /// Two tokens whose hidden states are nearly the same and large, and whose logits are equal: the
  /// head's gradient at one is minus that at the other but for the little difference.
  void craft() {
    model_ = initial_model(job_).value();
    std::ranges::fill(model_.values, 0.0F);
    for (const char* name : {"model.layers.0.input_layernorm.weight",
                             "model.layers.0.post_attention_layernorm.weight"})
      std::ranges::fill(values_of(name), 1.0F);
    std::ranges::fill(values_of("model.norm.weight"), static_cast<float>(GetParam().gain));
    const auto tokenizer = text::load_tokenizer(folder_).value();
    const auto ids = tokenizer.encode_framed("a b a b", job_.model.max_length);
    const auto a = static_cast<std::size_t>(ids[1]), b = static_cast<std::size_t>(ids[2]);
    const std::span<float> words = values_of("model.embed_tokens.weight");
    for (std::size_t v = 0; v < kWords; ++v)
      for (std::size_t i = 0; i < kWidth; ++i) {
        const double side = v == a ? 1 : v == b || v == 1 ? -1 : 0.3 * std::sin(double(v));
        words[v * kWidth + i] = static_cast<float>(common_part(v == a || v == b || v == 1, i) +
                                                   side * 1e-4 * (i % 2 == 0 ? -1 : 1));
      }
    if (GetParam().tied) return;
    const std::span<float> head = values_of("lm_head.weight");
    for (std::size_t v = 0; v < kWords; ++v)
      std::fill_n(head.begin() + static_cast<std::ptrdiff_t>(v * kWidth), kWidth,
                  v == a || v == b ? 0.0F : -0.05F);
  }

  /// Where the head is the embedding, all but the two tokens must look the other way.
  [[nodiscard]] static double common_part(bool of_the_pair, std::size_t i) {
    if (GetParam().tied && !of_the_pair) return -0.05;
    // A weight's own rounding decides which way the Gram matrices' products round.
    const double turn = 1.7 * static_cast<double>(GetParam().tied ? i / 2 : i);
    return 1 + 0.05 * std::sin(turn);
  }

  /// Returns twenty ordinary lines.
  [[nodiscard]] static std::vector<std::string> ordinary_lines() {
    std::vector<std::string> out;
    std::ifstream file(kExample / "data/shards/menenius/train.tsv");
    for (std::string line; out.size() < 20 && std::getline(file, line);)
      if (!line.empty()) out.push_back(line);
    return out;
  }

  /// Returns the sum of the clipped gradients of `lines`.
  [[nodiscard]] std::vector<double> sum_of(const std::vector<std::string>& lines) {
    std::vector<data::Example> train;
    for (const std::string& text : lines)
      train.push_back({text, 0});
    const auto count = static_cast<double>(train.size());
    const auto trainer = make_trainer(job_, resources_, {std::move(train), {}}).value();
    crypto::StreamRandom random(3);
    const auto update = trainer->train(model_, 1, random, nullptr).value().update;
    std::vector<double> sum;
    for (const float v : update.values)
      sum.push_back(-count / kRate * static_cast<double>(v));
    return sum;
  }

  /// Returns the norm of a sum. It leaves out the final norm's gain, of which a float holds no such
  /// change: its gradient is zero where the head's rows of the two tokens are.
  [[nodiscard]] double norm_of(const std::vector<double>& sum) const {
    double squares = 0;
    std::size_t at = 0;
    for (const ParameterShape& p : model_.layout)
      for (std::size_t i = 0; i < p.count(); ++i, ++at)
        if (p.name != "model.norm.weight") squares += sum[at] * sum[at];
    return std::sqrt(squares);
  }

  /// Returns how far the line moves the sum of the ordinary lines. The gradients of those may round
  /// differently in the larger batch. On the kernels that Sotto chooses for AVX-512 this adds up
  /// to less than 1e-3 norms; on OpenBLAS's Haswell kernels these weights amplify it to 0.03
  /// (docs/privacy.md).
  [[nodiscard]] double moved_by(const std::string& line) {
    std::vector<std::string> lines = ordinary_lines();
    const auto without = sum_of(lines);
    lines.push_back(line);
    auto moved = sum_of(lines);
    for (std::size_t i = 0; i < moved.size(); ++i)
      moved[i] -= without[i];
    return norm_of(moved);
  }

  fs::path folder_;
  config::JobConfig job_;
  config::SiteResources resources_;
  FlatParameters model_;
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const config::Clipping rule : {config::Clipping::kFlat, config::Clipping::kAutomatic,
                                      config::Clipping::kPerLayer, config::Clipping::kAdaptive})
    for (const double gain : {1e4, 1e6})
      for (const bool tied : {false, true}) {
        out.push_back({rule, gain, false, tied});
        out.push_back({rule, gain, true, tied});
      }
  out.push_back({config::Clipping::kFlat, 1e6, false, false, true});
  out.push_back({config::Clipping::kAutomatic, 1e6, true, true, true});
  return out;
}

INSTANTIATE_TEST_SUITE_P(All, CraftedWeights, ::testing::ValuesIn(cases()), [](const auto& c) {
  return std::string(config::word_of(c.param.rule)) + (c.param.gain > 1e5 ? "_1e6" : "_1e4") +
         (c.param.checkpointing ? "_two_passes" : "_one_pass") + (c.param.tied ? "_tied" : "") +
         (c.param.bfloat16 ? "_bfloat16" : "");
});

/// Returns what rounding may add to the change of the sum, in clipping norms.
double rounding_of_the_batch() {
  const std::string blas = blas_description().text;
  const bool rounds_by_rows = blas.find("kernel Haswell,") != std::string::npos ||
                              blas.find("kernel Zen,") != std::string::npos;
  return rounds_by_rows ? 5e-3 : 2e-3;
}

constexpr const char* kCancelling = "a b a b a b a b a b a b a b a b a b a b a b a b";

TEST_P(CraftedWeights, ALineWhoseGradientsCancelAddsAtMostTheClippingNorm) {
  EXPECT_LE(norm_of(sum_of({kCancelling})), 1 + 1e-4);
}

TEST_P(CraftedWeights, ALineWhoseGradientsCancelMovesTheSumByAtMostTheClippingNorm) {
  const double moved = moved_by(kCancelling);
  RecordProperty("moved", std::to_string(moved));
  std::cout << "moved by " << moved << " clipping norms\n";
  EXPECT_LE(moved, 1 + rounding_of_the_batch());
}

TEST_P(CraftedWeights, ALineWhoseGradientsAddUpIsClippedAndSeen) {
  const double moved = moved_by("a a a a a a a a a a a a a a a a a a a a");
  EXPECT_LE(moved, 1 + rounding_of_the_batch());
  EXPECT_GT(moved, 0.2) << "the test sees nothing";
}

}  // namespace
}  // namespace sotto::learning

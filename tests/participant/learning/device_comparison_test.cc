// The test's device against the CPU, on the same weights, examples and random bytes. Each test
// records the largest relative difference that it found, which scripts/dev/gpu_check.sh reports. If
// SOTTO_TEST_DEVICE is the CPU, both sides are the same computation.
#include <algorithm>
#include <ostream>
#include <sstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "participant/learning/torch_models.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

using at::Tensor;

/// Records the distance of `found` from `expected` relative to the norm of `expected`, and expects
/// it to be at most `most`.
void expect_near(const char* what, const Tensor& found, const Tensor& expected, double most) {
  const Tensor wide = expected.to(at::kCPU, at::kDouble);
  const double difference =
      ((found.to(at::kCPU, at::kDouble) - wide).norm() / wide.norm()).item<double>();
  std::ostringstream text;
  text << difference;
  ::testing::Test::RecordProperty("difference_of_" + std::string(what), text.str());
  EXPECT_LE(difference, most) << what;
}

struct Case {
  const char* name;
  const char* folder;
  bool language;
  Precision precision = Precision::kFloat32;
  std::vector<std::string> lora{};  // target modules

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

class DeviceComparison : public ::testing::TestWithParam<Case> {
 protected:
  struct Step {
    Tensor losses, squared_norms, clipped_sum, plain_gradient;
  };

  void SetUp() override {
    const auto folder = kVectors / GetParam().folder;
    spec_ = GetParam().language ? language_spec(folder) : classifier_spec(folder, 3);
    if (!GetParam().lora.empty())
      spec_.lora = {.r = 3, .alpha = 5, .target_modules = GetParam().lora};
    for (const std::int64_t length : {7, 2, 10, 5, 3}) {
      Sequence text{{}, length % 3};
      for (std::int64_t t = 0; t < length; ++t)
        text.ids.push_back(static_cast<std::int32_t>((5 * t + length) % spec_.config.vocab_size));
      texts_.push_back(std::move(text));
    }
  }

  /// All parameters are drawn, also those that start at zero.
  static FlatParameters drawn(const std::vector<ParameterShape>& layout) {
    FlatParameters out{layout, {}};
    for (const ParameterShape& p : layout) {
      const bool norm = p.shape.size() == 1 && p.name.ends_with(".weight");
      for (std::size_t i = 0; i < p.count(); ++i)
        out.values.push_back(0.4F * std::sin(1.3F * static_cast<float>(out.values.size())) +
                             (norm ? 1.0F : 0.0F));
    }
    return out;
  }

  [[nodiscard]] Step step_on(at::Device device) const {
    const ModelModules modules = modules_of(spec_).value();
    Transformer model(spec_, modules, device);
    EXPECT_TRUE(model.load(drawn(trainable_layout(modules, spec_.lora))).ok());
    EXPECT_TRUE(model.load_frozen(drawn(frozen_layout(modules, spec_.lora))).ok());
    const Batch batch = batch_of(texts_, device);
    Pass pass{.precision = GetParam().precision};
    Step step;
    losses_of(model, batch, pass).sum().backward();
    step.plain_gradient = model.gradient().clone();
    model.gradient().zero_();
    GradTape tape;
    pass.tape = &tape;
    const Tensor losses = losses_of(model, batch, pass);
    step.losses = losses.detach().clone();
    tape.backward(losses.sum());
    step.squared_norms = tape.squared_norms(model.parameters()).estimate;
    const Tensor norms = step.squared_norms.sum(0).sqrt();
    tape.accumulate(model.parameters(),
                    (norms.median() / norms).clamp_max(1).expand({step.squared_norms.size(0), -1}));
    step.clipped_sum = model.gradient().clone();
    return step;
  }

  ModelSpec spec_;
  std::vector<Sequence> texts_;
};

INSTANTIATE_TEST_SUITE_P(
    Models, DeviceComparison,
    ::testing::Values(Case{"bert", "bert", false}, Case{"gpt2", "gpt2", true},
                      Case{"llama", "llama", true}, Case{"qwen2", "qwen2", true},
                      Case{"llama3", "llama3", true},
                      Case{"bert_bfloat16", "bert", false, Precision::kBfloat16},
                      Case{"gpt2_bfloat16", "gpt2", true, Precision::kBfloat16},
                      Case{"llama_bfloat16", "llama", true, Precision::kBfloat16},
                      Case{"llama_lora", "llama", true, Precision::kFloat32, {"all-linear"}}),
    [](const auto& c) { return std::string(c.param.name); });

// Bfloat16 has eight bits of mantissa: one rounding is 0.4 %.
TEST_P(DeviceComparison, AStepIsThatOfTheCpu) {
  const Step expected = step_on(at::kCPU), found = step_on(test_device());
  const double most = GetParam().precision == Precision::kBfloat16 ? 0.04 : 1e-4;
  expect_near("losses", found.losses, expected.losses, most);
  expect_near("norms", found.squared_norms.sqrt(), expected.squared_norms.sqrt(), most);
  expect_near("clipped_sum", found.clipped_sum, expected.clipped_sum, most);
  expect_near("plain_gradient", found.plain_gradient, expected.plain_gradient, most);
}

// The trainer's whole way: sampling, clipping, noise, optimizer, update, evaluation.
TEST(DeviceComparisonOfTheQuickstart, ARoundIsThatOfTheCpu) {
  const std::filesystem::path example = SOTTO_SOURCE_DIR "/configs/quickstart";
  const config::JobConfig job = config::load_job(example / "job.json", {});
  const auto read = [&](const char* file) {
    return data::read_examples(example / "data/shards/aurora" / file, job).value();
  };

  struct Round {
    Tensor update, counters;
  };

  const auto round_on = [&](config::Device device) {
    const auto trainer =
        make_trainer(job, {.device = device, .threads = 1}, {read("train.tsv"), read("eval.tsv")})
            .value();
    FlatParameters model = initial_model(job).value();
    crypto::StreamRandom random(7);
    const auto update = trainer->train(model, 1, random, nullptr).value().update.values;
    for (std::size_t i = 0; i < model.values.size(); ++i)
      model.values[i] += update[i];
    std::vector<double> counters;
    const std::vector<std::uint64_t> counts = trainer->evaluate(model).value();
    for (const std::uint64_t counter : counts)
      counters.push_back(static_cast<double>(counter));
    return Round{at::tensor(update), at::tensor(counters, at::kDouble)};
  };
  const Round expected = round_on(config::Device::kCpu), found = round_on(test_device_setting());
  expect_near("update", found.update, expected.update, 1e-2);
  expect_near("evaluation", found.counters, expected.counters, 1e-2);
}

}  // namespace
}  // namespace sotto::learning

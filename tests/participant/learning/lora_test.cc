// Adapters: what they leave alone, what they add, and what others load of them.
#include <fstream>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/job/saved_model.h"
#include "common/model/weight_files.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/job_model.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/test_device.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using at::Tensor;
using nlohmann::json;

struct Family {
  const char* folder;
  bool language;
  std::vector<std::string> targets;
};

/// A job on a copy of a fixture; the vocabulary is only carried along.
class Lora : public ::testing::TestWithParam<Family> {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    fs::copy(kVectors / GetParam().folder, folder_ / "model");
    std::ofstream(folder_ / "model/vocab.txt") << "[PAD]\n";
    job_.name = "adapt";
    job_.model.path = (folder_ / "model").string();
    job_.task.type = GetParam().language ? "causal_language_modeling" : "sequence_classification";
    if (!GetParam().language) job_.task.labels = {"a", "b", "c"};
    job_.lora = {.r = 2, .alpha = 3, .target_modules = GetParam().targets};
    at::manual_seed(5);
    for (const std::int64_t length : {6, 2, 9}) {
      Sequence text{{}, length % 3};
      for (std::int64_t t = 0; t < length; ++t)
        text.ids.push_back(static_cast<std::int32_t>((7 * t + length) % 23));
      texts_.push_back(std::move(text));
    }
  }

  [[nodiscard]] std::unique_ptr<Transformer> adapted(const FlatParameters& trained) const {
    const ModelSpec spec = spec_of(job_).value();
    const ModelModules modules = modules_of(spec).value();
    auto model = std::make_unique<Transformer>(spec, modules, test_device());
    EXPECT_TRUE(model->load(trained).ok());
    const auto frozen = frozen_parameters(spec, modules, job_.model.path);
    EXPECT_TRUE(frozen.ok() && model->load_frozen(*frozen).ok());
    return model;
  }

  /// Logits of the texts by a model without adapters.
  [[nodiscard]] Tensor plain_logits(const fs::path& folder) const {
    ModelSpec spec = spec_of(job_).value();
    spec.lora = {};
    return model_from(folder, spec)->logits(batch_of(texts_), {});
  }

  [[nodiscard]] FlatParameters far_from_the_start() const {
    FlatParameters trained = initial_model(job_).value();
    for (std::size_t i = 0; i < trained.values.size(); ++i)
      trained.values[i] = 0.4F * std::sin(static_cast<float>(i));
    return trained;
  }

  fs::path folder_;
  config::JobConfig job_;
  std::vector<Sequence> texts_;
};

INSTANTIATE_TEST_SUITE_P(
    Families, Lora,
    ::testing::Values(Family{"bert", false, {"query", "value", "output.dense"}},
                      Family{"gpt2", true, {"c_attn", "mlp.c_proj"}},
                      Family{"llama", true, {"all-linear"}},
                      Family{"qwen2", true, {"q_proj", "k_proj"}}),
    [](const auto& family) { return std::string(family.param.folder); });

TEST_P(Lora, TheStartLeavesTheModelUnchanged) {
  const FlatParameters start = initial_model(job_).value();
  const Tensor found = adapted(start)->logits(batch_of(texts_), {});
  EXPECT_TRUE(at::equal(found, plain_logits(job_.model.path)));
  const auto far = adapted(far_from_the_start())->logits(batch_of(texts_), {});
  EXPECT_GT((far - found).abs().max().item<double>(), 1e-2);
}

TEST_P(Lora, OnlyAdaptersAndTheHeadOfClassesAreTrainedAndSent) {
  const FlatParameters start = initial_model(job_).value();
  for (const ParameterShape& p : start.layout)
    EXPECT_TRUE(p.name.ends_with(".lora_A.weight") || p.name.ends_with(".lora_B.weight") ||
                p.name.starts_with("classifier."))
        << p.name;
  const auto model = adapted(far_from_the_start());
  GradTape tape;
  tape.backward(losses_of(*model, batch_of(texts_), {&tape}).sum());
  EXPECT_TRUE(tape.unused(model->parameters()).empty());
}

TEST_P(Lora, MergedModelEqualsTheAdaptedOne) {
  const FlatParameters trained = far_from_the_start();
  const FlatParameters merged = job::merged_model(job_, trained).value();
  ASSERT_TRUE(job::save_merged(folder_ / "merged", job_, merged, folder_ / "saved").ok());
  const Tensor expected = adapted(trained)->logits(batch_of(texts_), {});
  EXPECT_LT((plain_logits(folder_ / "merged") - expected).abs().max().item<double>(), 1e-5);
}

TEST_P(Lora, AdapterIsSavedAsPeftNamesItAndLoadsAgain) {
  const FlatParameters trained = far_from_the_start();
  ASSERT_TRUE(job::save_model(folder_ / "saved", job_, trained, {}).ok());
  const FlatParameters file = read_safetensors(folder_ / "saved/adapter_model.safetensors").value();
  for (const ParameterShape& p : file.layout)
    EXPECT_TRUE(p.name.starts_with("base_model.model.")) << p.name;
  std::ifstream in(folder_ / "saved/adapter_config.json");
  const json config = json::parse(in);
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["task_type"], GetParam().language ? "CAUSAL_LM" : "SEQ_CLS");
  EXPECT_EQ(config["r"], 2);
  EXPECT_EQ(config["lora_alpha"], 3);
  EXPECT_EQ(config["fan_in_fan_out"], std::string(GetParam().folder) == "gpt2");
  EXPECT_EQ(config["modules_to_save"], GetParam().language ? json() : json({"classifier"}));
  for (const json& module : config["target_modules"])
    EXPECT_TRUE(std::any_of(file.layout.begin(), file.layout.end(), [&](const auto& p) {
      return p.name == "base_model.model." + module.get<std::string>() + ".lora_B.weight";
    })) << module;
  const FlatParameters again =
      job::load_parameters(folder_ / "saved/adapter_model.safetensors").value();
  EXPECT_EQ(again.layout, trained.layout);
  EXPECT_EQ(again.values, trained.values);
}

TEST_P(Lora, LayersMayBeChosen) {
  job_.lora.layers_to_transform = {1};
  const FlatParameters trained = initial_model(job_).value();
  EXPECT_FALSE(trained.layout.empty());
  for (const ParameterShape& p : trained.layout)
    EXPECT_EQ(p.name.find(".0."), std::string::npos) << p.name;
  job_.lora.layers_to_transform = {2};
  EXPECT_NE(initial_model(job_).error().message.find(
                "names layer 2, but the model has the layers 0 to 1"),
            std::string::npos);
}

TEST_P(Lora, AModuleThatTheModelLacksIsNamedBesideThoseItHas) {
  job_.lora.target_modules = {"q_prj"};
  const std::string why = initial_model(job_).error().message;
  EXPECT_NE(why.find("\"q_prj\", which this model does not have; its modules are all-linear, "),
            std::string::npos)
      << why;
}

TEST_P(Lora, DropoutComesFromItsSeedAndOnlyWhileTraining) {
  job_.lora.dropout = 0.5;
  const auto model = adapted(far_from_the_start());
  const auto losses = [&](std::uint64_t seed) {
    return losses_of(*model, batch_of(texts_),
                     {nullptr, at::make_generator<at::CPUGeneratorImpl>(seed)});
  };
  EXPECT_TRUE(at::equal(losses(1), losses(1)));
  EXPECT_FALSE(at::equal(losses(1), losses(2)));
  const Tensor without = losses_of(*model, batch_of(texts_), {});
  job_.lora.dropout = 0;
  EXPECT_TRUE(at::equal(without, losses_of(*adapted(far_from_the_start()), batch_of(texts_), {})));
}

TEST_P(Lora, RecomputedLayersDrawTheSameDropout) {
  job_.lora.dropout = 0.5;
  job_.lora.layers_to_transform = {1};  // nothing is trained in the first layer
  const auto model = adapted(far_from_the_start());
  const auto gradient = [&](bool recompute, GradTape* tape) {
    model->gradient().zero_();
    const Pass pass{.tape = tape,
                    .dropout = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{3}),
                    .recompute = recompute};
    const Tensor loss = losses_of(*model, batch_of(texts_), pass).sum();
    if (tape == nullptr) {
      loss.backward();
      return model->gradient().clone();
    }
    tape->backward(loss);
    const Tensor norms = tape->squared_norms(model->parameters()).estimate;
    tape->accumulate(model->parameters(), 1 / norms.clamp_min(1e-3));
    return model->gradient().clone();
  };
  GradTape one, two(GradTape::Passes::kTwo);
  EXPECT_TRUE(same_values(gradient(true, &two), gradient(false, &one)));
  EXPECT_TRUE(same_values(gradient(true, nullptr), gradient(false, nullptr)));
  EXPECT_GT(model->gradient().abs().max().item<double>(), 0);
}

TEST_P(Lora, NeedsTheWeightsThatItAdapts) {
  for (const auto& entry : fs::directory_iterator(job_.model.path))
    if (entry.path().string().find(".safetensors") != std::string::npos) fs::remove(entry);
  EXPECT_NE(initial_model(job_).error().message.find("the folder has no weights"),
            std::string::npos);
}

}  // namespace
}  // namespace sotto::learning

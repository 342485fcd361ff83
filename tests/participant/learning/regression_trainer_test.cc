// Sequence regression with torch: the gradient of every example, what training learns with privacy,
// what an evaluation counts, and the model that is saved.
#include <algorithm>
#include <cmath>
#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/csrc/autograd/autograd.h>

#include "common/job/evaluation_bounds.h"
#include "common/job/saved_model.h"
#include "participant/learning/torch_models.h"
#include "participant/learning/transformer/job_model.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/test_device.h"
#include "tests/participant/learning/transformer_fixture.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;
using at::Tensor;

config::JobConfig regression_job() {
  config::JobConfig job;
  job.name = "regression";
  job.task = {.type = "sequence_regression", .target_min = -1, .target_max = 3};
  job.model.max_length = 16;
  job.model.initial = config::InitialModel::kRandom;
  return job;
}

TEST(RegressionExamples, AreNumbersAndTextsAndNoMessageShowsThem) {
  const config::JobConfig job = regression_job();
  const auto read = data::parse_examples("0.5\tgood\n-7\tbad text\n", "f", job);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->at(0).label, 3 << 21) << "0.5 is 3/8 of the way from -1 to 3";
  EXPECT_EQ(read->at(1).label, 0) << "clipped";
  EXPECT_EQ(data::format_examples(*read, job), "0.5\tgood\n-1\tbad text\n");
  const auto wrong = data::parse_examples("secret\ttext\n", "f", job);
  ASSERT_FALSE(wrong.ok());
  EXPECT_TRUE(
      wrong.error().message.starts_with("f:1:1: the record has a label that is not a number"))
      << wrong.error().message;
  EXPECT_EQ(wrong.error().message.find("secret"), std::string::npos);
}

class RegressionGradient : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Models, RegressionGradient, ::testing::Values("bert", "gpt2", "llama"));

/// The norms and the clipped sum of one pass are those of a loop over the examples, and the
/// gradient of the head is the closed form 2 (prediction - target) * input.
TEST_P(RegressionGradient, OfEveryExampleIsThatOfALoop) {
  const auto task = make_task_learning(regression_job());
  ModelSpec spec{.config = load_transformer_config(kVectors / GetParam()).value(),
                 .head = task->head()};
  const ModelModules modules = modules_of(spec).value();
  const auto model = std::make_unique<Transformer>(spec, modules, test_device());
  ASSERT_TRUE(
      model->load(random_parameters(spec, trainable_layout(modules, spec.lora), /*seed=*/1)).ok());
  at::manual_seed(3);
  for (const Parameter& p : model->parameters())  // a head at zero has no gradient below it
    if (p.name.starts_with("classifier") || p.name.starts_with("score"))
      at::Tensor(p.value.detach()).normal_(0, 0.5);
  std::vector<Sequence> texts;
  for (const std::int64_t length : {7, 2, 9, 4}) {
    Sequence text{{}, length << 20};
    for (std::int64_t t = 0; t < length; ++t)
      text.ids.push_back(static_cast<std::int32_t>((5 * t + length) % spec.config.vocab_size));
    texts.push_back(std::move(text));
  }
  std::vector<Tensor> values, expected;
  for (const Parameter& p : model->parameters()) {
    values.push_back(p.value);
    expected.push_back(at::zeros_like(p.value));
  }
  GradTape tape;
  const Tensor losses = model->losses(*task, batch_of(texts), {.tape = &tape});
  tape.backward(losses.sum());
  const Tensor norms = tape.squared_norms(model->parameters()).estimate.sum(0).sqrt();
  const double clip = norms.median().item<double>();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Batch one = batch_of({texts[i]});
    const double prediction = model->logits(one, {})[0][0].item<double>();
    const double target = -1 + 4 * static_cast<double>(texts[i].label) / (1 << 24);
    const auto row = static_cast<std::int64_t>(i);
    EXPECT_NEAR(losses[row].item<double>(), (prediction - target) * (prediction - target), 1e-4);
    const auto gradients = torch::autograd::grad({model->losses(*task, one, {}).sum()}, values);
    double squares = 0;
    for (const Tensor& g : gradients)
      squares += g.to(at::kDouble).square().sum().item<double>();
    EXPECT_NEAR(norms[row].item<double>() / std::sqrt(squares), 1, 1e-4);
    for (std::size_t p = 0; p < values.size(); ++p) {
      expected[p] += gradients[p] * std::min(1.0, clip / std::sqrt(squares));
      if (model->parameters()[p].name == "classifier.bias") {
        EXPECT_NEAR(gradients[p].item<double>(), 2 * (prediction - target), 1e-4);
      }
    }
  }
  tape.accumulate(
      model->parameters(),
      (clip / norms).clamp_max(1).expand({static_cast<std::int64_t>(values.size()), -1}));
  for (std::size_t p = 0; p < values.size(); ++p) {
    const Tensor& found = model->parameters()[p].gradient;
    EXPECT_LT((found - expected[p]).abs().max().item<double>(),
              1e-4 * std::max(1.0, expected[p].abs().max().item<double>()))
        << model->parameters()[p].name;
  }
}

/// The target is 1 for every "good" and -1 for every "bad", plus one word without a meaning.
std::vector<data::Example> toy_texts(std::size_t count, const config::JobConfig& job) {
  const auto task = job.make_task();
  std::vector<data::Example> out;
  for (std::size_t i = 0; i < count; ++i) {
    const bool good = i % 2 == 0, twice = i % 3 == 0;
    const std::string word = good ? "good" : "bad";
    const char* target = good ? (twice ? "2" : "1") : (twice ? "-1" : "0");
    out.push_back(
        {(twice ? word + " " + word : word) + " film", task->label_number(target).value()});
  }
  return out;
}

class RegressionTrainer : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    std::ofstream(folder_ / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\ngood\nbad\nfilm\n";
    std::ofstream(folder_ / "config.json")
        << R"({"model_type": "bert", "vocab_size": 7, "hidden_size": 16, "num_hidden_layers": 1,)"
        << R"( "num_attention_heads": 2, "intermediate_size": 32, "type_vocab_size": 1,)"
        << R"( "max_position_embeddings": 16, "initializer_range": 0.2,)"
        << R"( "classifier_pooling": "mean"})";
    job_ = regression_job();
    job_.model.path = folder_.string();
    job_.rounds.num_server_rounds = 10;
    job_.differential_privacy.noise_multiplier = 0.4;
    job_.local_training = {.local_steps = 8,
                           .expected_batch_size = 30,
                           .physical_batch_size = 7,
                           .learning_rate = 3e-2};
  }

  [[nodiscard]] std::unique_ptr<training::Trainer> trainer() const {
    return make_trainer(job_, {.device = test_device_setting(), .threads = 1},
                        {toy_texts(60, job_), toy_texts(24, job_)})
        .value();
  }

  [[nodiscard]] tasks::Evaluation evaluated(const FlatParameters& model) const {
    const auto counts = trainer()->evaluate(model).value();
    EXPECT_TRUE(job::check_counters(job_, counts, 24).ok());
    return job_.make_task()->summarise(counts, tasks::exact);
  }

  [[nodiscard]] FlatParameters trained(FlatParameters model) const {
    const auto t = trainer();
    crypto::StreamRandom random(5);
    for (std::uint64_t round = 1; round <= job_.rounds.num_server_rounds; ++round) {
      const training::TrainedUpdate made = t->train(model, round, random, nullptr).value();
      t->keep();
      for (std::size_t i = 0; i < model.values.size(); ++i)
        model.values[i] += made.update.values[i];
    }
    return model;
  }

  fs::path folder_;
  config::JobConfig job_;
};

TEST_F(RegressionTrainer, LearnsPrivatelyAndPlainlyToPredictNumbers) {
  const FlatParameters start = initial_model(job_).value();
  const tasks::Evaluation before = evaluated(start);
  // A head at zero predicts 0; the targets are 2, 1, 1 and -1, 0, 0 in turn.
  EXPECT_NEAR(before.value("loss"), 7.0 / 6, 1e-4);
  EXPECT_NEAR(before.value("mean_absolute_error"), 5.0 / 6, 1e-4);
  const tasks::Evaluation with_privacy = evaluated(trained(start));
  EXPECT_LT(with_privacy.value("loss"), 0.25);
  EXPECT_GT(with_privacy.value("r_squared"), 0.7);
  job_.differential_privacy.enabled = false;
  const tasks::Evaluation plain = evaluated(trained(start));
  EXPECT_LT(plain.value("loss"), 0.02);
  EXPECT_GT(plain.value("r_squared"), 0.98);
}

TEST_F(RegressionTrainer, AModelOfTheLargestWeightsCountsAsFarAsTheRangeGoes) {
  FlatParameters model = initial_model(job_).value();
  std::ranges::fill(model.values, kMaxParameterMagnitude);
  const auto counts = trainer()->evaluate(model).value();
  EXPECT_TRUE(job::check_counters(job_, counts, 24).ok());
  EXPECT_GT(job_.make_task()->summarise(counts, tasks::exact).value("mean_absolute_error"), 1);
}

TEST_F(RegressionTrainer, TheSavedModelIsOneThatTransformersReadsAsARegression) {
  const fs::path saved = folder_ / "saved";
  const FlatParameters model = initial_model(job_).value();
  ASSERT_TRUE(job::save_model(saved, job_, model, {}).ok());
  std::ifstream in(saved / "config.json");
  const nlohmann::json config = nlohmann::json::parse(in);
  EXPECT_EQ(config["problem_type"], "regression");
  EXPECT_EQ(config["id2label"].size(), 1U) << "num_labels is its size";
  EXPECT_EQ(config["hidden_size"], 16) << "the rest is as it was";
  job_.model.path = saved.string();
  job_.model.initial = config::InitialModel::kWeights;
  EXPECT_EQ(initial_model(job_).value().values, model.values);
}

}  // namespace
}  // namespace sotto::learning

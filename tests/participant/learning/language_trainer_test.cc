// Training and evaluating language models, whole and by adapters.
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "common/config/model_files.h"
#include "common/config/parse.h"
#include "common/job/saved_model.h"
#include "participant/learning/torch_models.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

namespace fs = std::filesystem;

/// Sentences whose every word follows from the one before.
std::vector<data::Example> toy_texts(std::size_t count) {
  const std::vector<std::string> words{"one", "two", "three", "four", "five"};
  std::vector<data::Example> out;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text = words[i % 5];
    for (std::size_t k = 1; k < 3 + i % 4; ++k)
      text += " " + words[(i + k) % 5];
    out.push_back({text, 0});
  }
  return out;
}

class LanguageTrainer : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    std::ofstream(folder_ / "vocab.txt")
        << "[PAD]\n[UNK]\n[CLS]\n[SEP]\none\ntwo\nthree\nfour\nfive\n";
    std::ofstream(folder_ / "config.json")
        << R"({"model_type": "gpt2", "vocab_size": 9, "n_embd": 16, "n_layer": 1, "n_head": 2,)"
        << R"( "n_positions": 12, "initializer_range": 0.1})";
    job_.name = "language";
    job_.model = {
        .path = folder_.string(), .max_length = 12, .initial = config::InitialModel::kRandom};
    job_.task.type = "causal_language_modeling";
    job_.rounds.num_server_rounds = 6;
    job_.differential_privacy.noise_multiplier = 0.4;
    job_.local_training = {.local_steps = 5,
                           .expected_batch_size = 30,
                           .physical_batch_size = 7,
                           .learning_rate = 2e-2};
  }

  [[nodiscard]] Result<std::unique_ptr<training::Trainer>> trainer() const {
    return make_trainer(job_, {.device = test_device_setting(), .threads = 1},
                        {toy_texts(60), toy_texts(20)});
  }

  /// All rounds at one site, from `model`.
  [[nodiscard]] FlatParameters trained(FlatParameters model) const {
    const auto t = trainer().value();
    crypto::StreamRandom random(5);
    for (std::uint64_t round = 1; round <= job_.rounds.num_server_rounds; ++round) {
      const training::TrainedUpdate made = t->train(model, round, random, nullptr).value();
      for (std::size_t i = 0; i < model.values.size(); ++i)
        model.values[i] += made.update.values[i];
    }
    return model;
  }

  [[nodiscard]] tasks::Evaluation evaluated(const FlatParameters& model) const {
    return job_.make_task()->summarise(trainer().value()->evaluate(model).value(), tasks::exact);
  }

  fs::path folder_;
  config::JobConfig job_;
};

TEST_F(LanguageTrainer, LearnsPrivatelyAndPlainlyWhatFollows) {
  const FlatParameters start = initial_model(job_).value();
  const tasks::Evaluation before = evaluated(start);
  EXPECT_GT(before.value("perplexity"), 6);  // of nine tokens nothing is known yet
  EXPECT_LT(evaluated(trained(start)).value("perplexity"), 4);
  job_.differential_privacy.enabled = false;
  const tasks::Evaluation plain = evaluated(trained(start));
  EXPECT_LT(plain.value("perplexity"), 2.5);
  EXPECT_GT(plain.value("accuracy"), 0.6);
}

TEST_F(LanguageTrainer, CountsPredictedTokensAndTheirLoss) {
  FlatParameters zero = initial_model(job_).value();
  std::fill(zero.values.begin(), zero.values.end(), 0.0F);
  const auto counts = trainer().value()->evaluate(zero).value();
  EXPECT_EQ(job_.make_task()->counter_names(),
            (std::vector<std::string>{"tokens", "correct", "loss_milli"}));
  std::uint64_t tokens = 0;
  for (const data::Example& e : toy_texts(20))  // [CLS] is given, [SEP] is predicted
    tokens += 2 + static_cast<std::uint64_t>(std::count(e.text.begin(), e.text.end(), ' '));
  ASSERT_EQ(counts.size(), 3U);
  EXPECT_EQ(counts[0], tokens);
  EXPECT_EQ(counts[1], 0U);  // [PAD] is as likely as all others, and the first
  EXPECT_NEAR(static_cast<double>(counts[2]), static_cast<double>(tokens) * 1000 * std::log(9.0),
              1);
  EXPECT_NEAR(job_.make_task()->summarise(counts, tasks::exact).value("perplexity"), 9, 1e-3);
}

TEST_F(LanguageTrainer, AdaptersLearnWhereTheBaseStays) {
  job_.differential_privacy.enabled = false;
  ASSERT_TRUE(job::save_initial_model(folder_ / "base", job_, initial_model(job_).value()).ok());
  job_.model.path = (folder_ / "base").string();
  job_.model.initial = config::InitialModel::kWeights;
  job_.lora = {.r = 4, .alpha = 8, .dropout = 0.1, .target_modules = {"all-linear"}};
  const Bytes32 base = config::hash_model_weights(folder_ / "base").value();
  const FlatParameters start = initial_model(job_).value();
  const double before = evaluated(start).value("perplexity");
  const FlatParameters adapters = trained(start);
  EXPECT_LT(evaluated(adapters).value("perplexity"), 0.8 * before);
  EXPECT_EQ(config::hash_model_weights(folder_ / "base").value(), base);

  // Merged, it is a model of its own that is as good.
  const double adapted = evaluated(adapters).value("perplexity");
  const FlatParameters merged = job::merged_model(job_, adapters).value();
  ASSERT_TRUE(job::save_merged(folder_ / "merged", job_, merged, folder_ / "saved").ok());
  job_.model.path = (folder_ / "merged").string();
  job_.model.initial = config::InitialModel::kWeights;
  job_.lora = {};
  EXPECT_NEAR(evaluated(initial_model(job_).value()).value("perplexity"), adapted, 1e-3 * adapted);
}

TEST_F(LanguageTrainer, PrivateAdaptersMoveAndNothingElseIsSent) {
  ASSERT_TRUE(job::save_initial_model(folder_ / "base", job_, initial_model(job_).value()).ok());
  job_.model.path = (folder_ / "base").string();
  job_.model.initial = config::InitialModel::kWeights;
  job_.lora = {.r = 1, .alpha = 1, .target_modules = {"c_attn"}};
  const FlatParameters start = initial_model(job_).value();
  EXPECT_EQ(start.values.size(), 16U + 48U);
  crypto::StreamRandom random(1);
  const auto update = trainer().value()->train(start, 1, random, nullptr).value().update.values;
  EXPECT_EQ(update.size(), start.values.size());
}

TEST(TinyShakespeare, TheExampleLoadsAndItsFirstRoundLowersThePerplexity) {
  const fs::path example = SOTTO_SOURCE_DIR "/configs/tinyshakespeare";
  config::JobConfig job = config::load_job(example / "job.json");
  job.local_training.sampling_rate = 0.2;
  const auto read = [&](const char* file) {
    return data::read_examples(example / "data/shards/menenius" / file, job).value();
  };
  const auto trainer = make_trainer(job, {.device = test_device_setting(), .threads = 1},
                                    {read("train.tsv"), read("eval.tsv")})
                           .value();
  FlatParameters model = initial_model(job).value();
  const auto perplexity = [&] {
    return job.make_task()
        ->summarise(trainer->evaluate(model).value(), tasks::exact)
        .value("perplexity");
  };
  const double before = perplexity();
  EXPECT_LT(before, 512);  // it is no uniform guess
  crypto::StreamRandom random(1);
  const training::TrainedUpdate made = trainer->train(model, 1, random, nullptr).value();
  for (std::size_t i = 0; i < model.values.size(); ++i)
    model.values[i] += made.update.values[i];
  EXPECT_LT(perplexity(), before);
}

}  // namespace
}  // namespace sotto::learning

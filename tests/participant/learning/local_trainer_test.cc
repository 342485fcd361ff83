#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>
#include <span>

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "common/job/saved_model.h"
#include "common/model/safetensors.h"
#include "participant/learning/dp_sgd/batches.h"
#include "participant/learning/torch_models.h"
#include "participant/text/steps.h"
#include "participant/training/dp_steps.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

const std::vector<std::string> kLabels{"colour", "number"};

std::vector<data::Example> toy_examples(std::size_t count) {
  const std::vector<std::string> colours{"red", "green", "blue"}, numbers{"one", "two", "three"};
  std::vector<data::Example> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& words = i % 2 == 0 ? colours : numbers;
    std::string text = "say " + words[i % 3];
    if (i % 5 == 0) text += " and " + words[(i + 1) % 3];
    out.push_back({text, static_cast<std::int64_t>(i % 2)});
  }
  return out;
}

/// A model folder that lasts for one test.
class LocalTrainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    std::set<std::string> words;
    for (const data::Example& e : toy_examples(60))
      for (std::string& word : text::bert_words(e.text))
        words.insert(std::move(word));
    std::ofstream vocab(folder_ / "vocab.txt");
    vocab << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n";
    for (const std::string& word : words)
      vocab << word << "\n";
    write_config("mean");
    job_.name = "toy";
    job_.model = {
        .path = folder_.string(), .max_length = 12, .initial = config::InitialModel::kRandom};
    job_.task = {.type = "sequence_classification", .labels = kLabels};
    job_.rounds.num_server_rounds = 8;
    job_.differential_privacy.noise_multiplier = 0.5;
    job_.local_training = {.local_steps = 3,
                           .expected_batch_size = 30,
                           .physical_batch_size = 7,
                           .learning_rate = 2e-2};
  }

  void write_config(const std::string& pooling) const {
    std::ofstream(folder_ / "config.json")
        << R"({"model_type": "bert", "vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 2,)"
        << R"( "num_attention_heads": 4, "intermediate_size": 32, "max_position_embeddings": 16,)"
        << R"( "initializer_range": 0.1, "classifier_pooling": ")" << pooling << "\"}";
  }

  [[nodiscard]] std::unique_ptr<training::Trainer> trainer() const {
    config::SiteResources resources = resources_;
    resources.device = test_device_setting();
    return make_trainer(job_, resources, {toy_examples(60), toy_examples(30)}).value();
  }

  [[nodiscard]] std::vector<float> trained(std::uint64_t seed) const {
    crypto::StreamRandom random(seed);
    return trainer()->train(initial_model(job_).value(), 1, random, nullptr).value().update.values;
  }

  /// Accuracy after all rounds at one site.
  [[nodiscard]] double accuracy() const {
    const auto t = trainer();
    FlatParameters model = initial_model(job_).value();
    crypto::StreamRandom random(5);
    for (std::uint64_t round = 1; round <= job_.rounds.num_server_rounds; ++round) {
      const training::TrainedUpdate trained = t->train(model, round, random, nullptr).value();
      t->keep();
      for (std::size_t i = 0; i < model.values.size(); ++i)
        model.values[i] += trained.update.values[i];
    }
    const auto counts = t->evaluate(model).value();
    return static_cast<double>(counts[1]) / static_cast<double>(counts[0]);
  }

  /// What a site is told over all rounds.
  [[nodiscard]] std::vector<std::string> warnings_of_a_run() const {
    const auto t = trainer();
    FlatParameters model = initial_model(job_).value();
    crypto::StreamRandom random(1);  // 25 of 40 seeds have no warning at the usual noise
    std::vector<std::string> out;
    for (std::uint64_t round = 1; round <= job_.rounds.num_server_rounds; ++round) {
      const training::TrainedUpdate trained = t->train(model, round, random, nullptr).value();
      t->keep();
      for (std::size_t i = 0; i < model.values.size(); ++i)
        model.values[i] += trained.update.values[i];
      out.insert(out.end(), trained.warnings.begin(), trained.warnings.end());
    }
    return out;
  }

  static std::span<float> values_of(FlatParameters& model, const std::string& name) {
    std::size_t at = 0;
    for (const ParameterShape& p : model.layout) {
      if (p.name == name) return std::span(model.values).subspan(at, p.count());
      at += p.count();
    }
    ADD_FAILURE() << name;
    return {};
  }

  static void fill(FlatParameters& model, const std::string& name, float value) {
    std::ranges::fill(values_of(model, name), value);
  }

  std::filesystem::path folder_;
  config::JobConfig job_;
  config::SiteResources resources_;
};

TEST_F(LocalTrainerTest, SameSeedGivesTheSameBytesAndAnotherSeedOthers) {
  EXPECT_TRUE(same_values(trained(1), trained(1)));
  EXPECT_NE(trained(1), trained(2));
}

TEST_F(LocalTrainerTest, LearnsAToyTaskPrivatelyAndPlainly) {
  EXPECT_GT(accuracy(), 0.9);
  job_.differential_privacy.enabled = false;
  EXPECT_GT(accuracy(), 0.9);
}

TEST_F(LocalTrainerTest, LearnsWithEveryRuleOfClipping) {
  for (const config::Clipping rule :
       {config::Clipping::kAutomatic, config::Clipping::kPerLayer, config::Clipping::kAdaptive}) {
    job_.differential_privacy.clipping = rule;
    EXPECT_GT(accuracy(), 0.9) << config::word_of(rule);
  }
}

TEST_F(LocalTrainerTest, AProximalTermKeepsLocalStepsNearTheRoundsModel) {
  job_.differential_privacy.enabled = false;
  job_.local_training.optimizer = config::LocalOptimizer::kSgd;
  job_.local_training.learning_rate = 0.1;
  job_.local_training.local_steps = 1;
  const auto one_step = trained(1);
  job_.local_training.proximal_mu = 10;  // learning rate times mu is 1
  EXPECT_TRUE(same_values(trained(1), one_step)) << "the first step starts at the round's model";
  // Each step then begins by taking back all of the one before.
  job_.local_training.local_steps = 20;
  const auto norm = [](const std::vector<float>& v) {
    return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
  };
  const double pulled = norm(trained(1));
  job_.local_training.proximal_mu = 0;
  EXPECT_LT(pulled, 2 * norm(one_step));
  EXPECT_GT(norm(trained(1)), 4 * pulled);
}

TEST_F(LocalTrainerTest, TrainsWithThePoolerOfBertToo) {
  write_config("cls");
  job_.local_training.optimizer = config::LocalOptimizer::kSgd;
  job_.local_training.momentum = 0.9;
  job_.local_training.learning_rate = 0.5;
  const auto update = trained(1);
  EXPECT_TRUE(std::any_of(update.begin(), update.end(), [](float v) { return v != 0; }));
}

TEST_F(LocalTrainerTest, PhysicalBatchSizeDoesNotChangeWhatIsTrained) {
  const auto split = trained(1);
  job_.local_training.physical_batch_size = 1000;
  const auto whole = trained(1);
  for (std::size_t i = 0; i < whole.size(); ++i)
    ASSERT_NEAR(split[i], whole[i], 2e-3) << i;
}

TEST_F(LocalTrainerTest, GradientCheckpointingChangesNoBitOfAnUpdate) {
  for (const auto rule :
       {std::optional(config::Clipping::kFlat), std::optional(config::Clipping::kPerLayer),
        std::optional<config::Clipping>{}}) {
    job_.differential_privacy.enabled = rule.has_value();
    job_.differential_privacy.clipping = rule.value_or(config::Clipping::kFlat);
    resources_.gradient_checkpointing = false;
    const auto kept = trained(1);
    resources_.gradient_checkpointing = true;
    EXPECT_TRUE(same_values(trained(1), kept)) << (rule ? config::word_of(*rule) : "none");
  }
}

TEST_F(LocalTrainerTest, LearnsWithProductsInBfloat16) {
  const auto exact = trained(1);
  resources_.precision = config::Precision::kBfloat16;
  EXPECT_NE(trained(1), exact);
  EXPECT_GT(accuracy(), 0.9);
}

TEST_F(LocalTrainerTest, SaysWhichDeviceIsNotThere) {
  if (at::hasCUDA()) GTEST_SKIP() << "this machine has a GPU";
  const auto none = make_trainer(job_, {.device = config::Device::kCuda}, {toy_examples(4), {}});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().message,
            "resources.device is \"cuda\", but this machine has no CUDA device");
}

TEST_F(LocalTrainerTest, AnEmptyDrawStillAddsNoiseAndSteps) {
  job_.local_training.expected_batch_size = 0;
  job_.local_training.sampling_rate = 1e-9;
  const auto update = trained(1);
  EXPECT_TRUE(std::all_of(update.begin(), update.end(), [](float v) { return v != 0; }));
}

TEST_F(LocalTrainerTest, AnUpdateThatDidNotMoveIsSentWithAWarning) {
  job_.local_training.learning_rate = 0;
  for (const bool is_private : {true, false}) {
    job_.differential_privacy.enabled = is_private;
    crypto::StreamRandom random(1);
    const auto result = trainer()->train(initial_model(job_).value(), 1, random, nullptr);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->warnings.back(), "training did not change the model: the update is zero");
  }
}

TEST_F(LocalTrainerTest, WarnsByNameOfAParameterThatNothingMoves) {
  FlatParameters model = initial_model(job_).value();
  fill(model, "classifier.bias", 1e6F);  // in float32 a step of the learning rate is lost in it
  job_.local_training.learning_rate = 1e-4;
  crypto::StreamRandom random(1);
  const auto result = trainer()->train(model, 1, random, nullptr);
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->warnings, std::vector<std::string>{"training did not change classifier.bias"});
}

TEST_F(LocalTrainerTest, StepsOfWhichNothingIsFiniteGiveAnUpdateThatIs) {
  const auto has = [](const std::vector<std::string>& warnings, const std::string& text) {
    return std::ranges::any_of(
        warnings, [&](const std::string& w) { return w.find(text) != std::string::npos; });
  };
  job_.local_training.optimizer = config::LocalOptimizer::kSgd;
  job_.local_training.learning_rate = 3e38;
  job_.differential_privacy.noise_multiplier = 300;
  for (const bool is_private : {true, false}) {
    job_.differential_privacy.enabled = is_private;
    crypto::StreamRandom random(1);
    const auto result = trainer()->train(initial_model(job_).value(), 1, random, nullptr);
    ASSERT_TRUE(result.ok()) << result.error().message;
    for (const float v : result->update.values)
      ASSERT_TRUE(std::isfinite(v));
    EXPECT_TRUE(has(result->warnings,
                    "drawn examples contributed nothing: the loss or the "
                    "gradient was not finite (first in step "));
    if (is_private) {
      EXPECT_TRUE(has(result->warnings,
                      "training produced values that are not finite and are sent "
                      "as zero, in bert.embeddings."));
    }
  }
}

TEST_F(LocalTrainerTest, RefusesAModelWithValuesThatAreNotFiniteOrTooLarge) {
  for (const float bad : {std::nanf(""), 2e6F}) {
    FlatParameters model = initial_model(job_).value();
    values_of(model, "classifier.weight")[3] = bad;
    crypto::StreamRandom random(1);
    for (const std::string& said : {trainer()->train(model, 1, random, nullptr).error().message,
                                    trainer()->evaluate(model).error().message})
      EXPECT_EQ(said.find("a value of classifier.weight "), 0U) << said;
  }
}

TEST_F(LocalTrainerTest, WarnsByNameOfAParameterThatOnlyNoiseMoves) {
  FlatParameters model = initial_model(job_).value();
  fill(model, "bert.encoder.layer.0.intermediate.dense.bias", -1e4F);  // gelu is flat there
  for (const bool is_private : {true, false}) {
    job_.differential_privacy.enabled = is_private;
    crypto::StreamRandom random(1);
    const auto trained = trainer()->train(model, 1, random, nullptr);
    ASSERT_TRUE(trained.ok()) << trained.error().message;
    EXPECT_EQ(
        trained->warnings,
        std::vector<std::string>{
            "the gradient was zero in every step of the round, so that nothing is learnt, for "
            "bert.encoder.layer.0.intermediate.dense.weight, "
            "bert.encoder.layer.0.intermediate.dense.bias, "
            "bert.encoder.layer.0.output.dense.weight"});
  }
}

TEST_F(LocalTrainerTest, WarnsThatTheLossDoesNotFallWhereNoiseDrownsTheGradient) {
  EXPECT_EQ(warnings_of_a_run(), std::vector<std::string>{});
  job_.differential_privacy.noise_multiplier = 300;
  const auto warnings = warnings_of_a_run();
  ASSERT_FALSE(warnings.empty());
  EXPECT_EQ(warnings.front().find("the training loss has not fallen: median "), 0U);
  EXPECT_NE(warnings.back().find("to 24 of 24"), std::string::npos) << warnings.back();
}

TEST_F(LocalTrainerTest, WhatWasNotKeptLeavesNoTraceInTheNextUpdate) {
  for (const config::Clipping rule : {config::Clipping::kFlat, config::Clipping::kAdaptive}) {
    job_.differential_privacy.clipping = rule;
    const FlatParameters model = initial_model(job_).value();
    const auto second_of = [&](std::uint64_t first_seed, bool kept) {
      const auto t = trainer();
      crypto::StreamRandom first(first_seed), second(9);
      EXPECT_TRUE(t->train(model, 1, first, nullptr).ok());
      if (kept) t->keep();
      return t->train(model, 1, second, nullptr).value().update.values;
    };
    EXPECT_TRUE(same_values(second_of(1, false), second_of(2, false))) << config::word_of(rule);
    EXPECT_TRUE(same_values(second_of(1, false), trained(9))) << config::word_of(rule);
    EXPECT_NE(second_of(1, true), second_of(2, true))
        << "moments and norms go on: " << config::word_of(rule);
  }
}

TEST_F(LocalTrainerTest, RefusesAModelOfAnotherShapeByName) {
  FlatParameters model = initial_model(job_).value();
  model.layout[3].name = "bert.embeddings.other";
  crypto::StreamRandom random(1);
  const auto result = trainer()->train(model, 1, random, nullptr);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("bert.embeddings.LayerNorm.weight"), std::string::npos);
}

TEST_F(LocalTrainerTest, EvaluationCountsAddUp) {
  const auto counts = trainer()->evaluate(initial_model(job_).value()).value();
  const auto names = job_.make_task()->counter_names();
  ASSERT_EQ(counts.size(), names.size());
  EXPECT_EQ(names[0], "examples");
  EXPECT_EQ(counts[0], 30U);
  std::uint64_t tp = 0, fp = 0, fn = 0;
  for (std::size_t i = 3; i < counts.size(); i += 3) {
    EXPECT_EQ(names[i].substr(0, 3), "tp:");
    tp += counts[i];
    fp += counts[i + 1];
    fn += counts[i + 2];
  }
  EXPECT_EQ(tp, counts[1]);
  EXPECT_EQ(tp + fn, 30U);
  EXPECT_EQ(fp, fn);
  // A head at zero says ln 2 of every example.
  EXPECT_NEAR(static_cast<double>(counts[2]), 30 * 693.147, 1);
}

TEST_F(LocalTrainerTest, ReportsEveryStepAndWhatItSpent) {
  crypto::StreamRandom random(1);
  std::vector<std::uint32_t> steps;
  const auto result = trainer()->train(initial_model(job_).value(), 2, random,
                                       [&steps](training::TrainingProgress p) {
                                         steps.push_back(p.step);
                                         EXPECT_EQ(p.steps, 3U);
                                       });
  EXPECT_EQ(steps, (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(result->spent.steps, 3U);
  EXPECT_EQ(result->spent.sampling_rate, 0.5);
  EXPECT_EQ(result->spent.noise_multiplier, 0.5);
}

TEST_F(LocalTrainerTest, SavedModelLoadsAgainAsAnInitialModel) {
  FlatParameters model = initial_model(job_).value();
  for (std::size_t i = 0; i < model.values.size(); ++i)
    model.values[i] = static_cast<float>(i) * 1e-3F;
  const auto saved = folder_ / "saved";
  ASSERT_TRUE(job::save_model(saved, job_, model, {}).ok());
  job_.model.path = saved.string();
  job_.model.initial = config::InitialModel::kWeights;
  const FlatParameters loaded = initial_model(job_).value();
  EXPECT_EQ(loaded.layout, model.layout);
  EXPECT_EQ(loaded.values, model.values);
}

TEST_F(LocalTrainerTest, InitialModelDependsOnTheSeedAloneAndItsHeadIsZero) {
  const FlatParameters first = initial_model(job_).value();
  EXPECT_EQ(first.values, initial_model(job_).value().values);
  EXPECT_EQ(first.layout.front().name, "bert.embeddings.word_embeddings.weight");
  EXPECT_EQ(first.layout.back().name, "classifier.bias");
  for (std::size_t i = first.values.size() - 34; i < first.values.size(); ++i)
    EXPECT_EQ(first.values[i], 0.0F);
  job_.seed = 1;
  EXPECT_NE(first.values, initial_model(job_).value().values);
}

TEST_F(LocalTrainerTest, SamplingRateFollowsFromTheSiteAndIsCappedAtOne) {
  EXPECT_EQ(training::dp_steps_per_round(job_, 300)->sampling_rate, 0.1);
  EXPECT_EQ(training::dp_steps_per_round(job_, 10)->sampling_rate, 1.0);
  EXPECT_FALSE(training::dp_steps_per_round(job_, 0).ok());
  job_.differential_privacy.enabled = false;
  EXPECT_EQ(training::dp_steps_per_round(job_, 300)->noise_multiplier, 0.0);
}

TEST_F(LocalTrainerTest, CalibratesTheNoiseOfTheWholeJobToTheTarget) {
  job_.differential_privacy.noise_multiplier = 0;
  privacy::DpSgdSteps steps = training::dp_steps_per_round(job_, 300).value();
  EXPECT_EQ(steps.steps, 3U);
  steps.steps *= job_.rounds.num_server_rounds;
  const double epsilon = privacy::epsilon_of(steps, 1e-5).value();
  EXPECT_LE(epsilon, 8.0);
  EXPECT_GT(epsilon, 7.9);
}

TEST_F(LocalTrainerTest, NamesWhatIsWrongWithAModelFolder) {
  std::ofstream(folder_ / "config.json") << R"({"vocab_size": 60, "hidden_size": 16})";
  EXPECT_NE(initial_model(job_).error().message.find("num_hidden_layers is missing"),
            std::string::npos);
  std::ofstream(folder_ / "config.json") << R"({"vocab_size": 60, "hidden_size": -1})";
  EXPECT_NE(initial_model(job_).error().message.find("hidden_size must be"), std::string::npos);
}

TEST(Batches, CoverADrawExactlyOnceHoweverLargeItIs) {
  std::vector<std::size_t> lengths(1000);
  for (std::size_t i = 0; i < lengths.size(); ++i)
    lengths[i] = (i * 37) % 50;
  for (const std::size_t drawn : {0U, 1U, 63U, 64U, 65U, 1000U}) {
    std::vector<std::uint64_t> draw(drawn);
    std::iota(draw.begin(), draw.end(), 0U);
    std::multiset<std::uint64_t> seen;
    for (const auto& batch : physical_batches(draw, lengths, 64)) {
      EXPECT_LE(batch.size(), 64U);
      seen.insert(batch.begin(), batch.end());
    }
    EXPECT_EQ(seen, std::multiset<std::uint64_t>(draw.begin(), draw.end()));
  }
}

const config::JobConfig kJob = [] {
  config::JobConfig job;
  job.task = {.type = "sequence_classification", .labels = kLabels};
  return job;
}();

TEST(Examples, ReadsLabelTabText) {
  const auto read = data::parse_examples("number\tone two\r\ncolour\tred\tor blue\n\n", "f", kJob);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[0].label, 1);
  EXPECT_EQ((*read)[0].text, "one two");
  EXPECT_EQ((*read)[1].text, "red\tor blue");
}

TEST(Examples, NamesTheLineOfEveryKindOfMistakeAndNeverTheRecord) {
  struct Case {
    const char *bytes, *place, *reason;
  };

  for (const Case& c : {Case{"colour\tred\nno tab secret\n", "f:2:", "no tab"},
                        Case{"colour\tred\n\nanimal\tsecret\n", "f:3:", "label"},
                        Case{"colour\tsecret \xE9t\xE9\n", "f:1:", "UTF-8"},
                        Case{"colour\t  \n", "f:1:", "no text"}, Case{"\n", "f:", "no example"}}) {
    const auto read = data::parse_examples(c.bytes, "f", kJob);
    ASSERT_FALSE(read.ok()) << c.bytes;
    EXPECT_EQ(read.error().message.find(c.place), 0U) << read.error().message;
    EXPECT_NE(read.error().message.find(c.reason), std::string::npos) << read.error().message;
    EXPECT_EQ(read.error().message.find("secret"), std::string::npos) << read.error().message;
  }
  EXPECT_FALSE(data::read_examples("/nonexistent/file.tsv", kJob).ok());
}

TEST(Examples, WhatDoesNotFitIsLeftOutAndNamedForTheSiteAlone) {
  const std::string bytes =
      "colour\tred\nno tab secret\nanimal\tsecret\nnumber\tone\ncolour\tsecret \xE9\n";
  const data::FittingExamples found = data::fitting_examples(bytes, "f", kJob, {}).value();
  ASSERT_EQ(found.examples.size(), 2U);
  EXPECT_EQ(found.examples[1].text, "one");
  EXPECT_EQ(found.left_out.count, 3U);
  const std::string said = found.left_out.warning("records");
  for (const char* place : {"f:2:", "f:3:", "f:5:"})
    EXPECT_NE(said.find(place), std::string::npos) << said;
  EXPECT_EQ(said.find("secret"), std::string::npos) << said;
  EXPECT_TRUE(data::fitting_examples("", "f", kJob, {}).value().examples.empty());
  EXPECT_FALSE(data::read_fitting_examples("/nonexistent/file.tsv", kJob, {}).ok());
}

TEST(Examples, ALabelThatTheSiteDoesNotDeclareIsLeftOut) {
  const data::FittingExamples found =
      data::fitting_examples("colour\tred\nnumber\tone\n", "f", kJob, {"colour"}).value();
  ASSERT_EQ(found.examples.size(), 1U);
  EXPECT_EQ(found.examples[0].text, "red");
  EXPECT_EQ(found.left_out.count, 1U);
}

TEST(Examples, OfTaggedWordsTheWholeSentenceIsLeftOut) {
  config::JobConfig job;
  job.task = {.type = "token_classification", .labels = {"PER", "LOC"}};
  const std::string bytes = "Ann B-PER\nleft O\n\nParis B-LOC\n\nx B-ORG\ny O\n\nBob B-PER\n";
  const data::FittingExamples all = data::fitting_examples(bytes, "f", job, {}).value();
  ASSERT_EQ(all.examples.size(), 3U);
  EXPECT_EQ(all.left_out.count, 1U);
  const data::FittingExamples people = data::fitting_examples(bytes, "f", job, {"PER"}).value();
  ASSERT_EQ(people.examples.size(), 2U);
  EXPECT_EQ(people.examples[1].words.front(), "Bob");
  EXPECT_EQ(people.left_out.count, 2U);
}

}  // namespace
}  // namespace sotto::learning

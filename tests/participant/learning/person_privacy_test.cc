// A job that protects persons: what one person changes, however many examples she has, is what one
// example changes in other jobs (docs/privacy.md, "Persons as units").
#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "participant/learning/dp_sgd/clipping_torch.h"
#include "participant/learning/dp_sgd/draw_units.h"
#include "participant/learning/torch_models.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

constexpr double kClip = 0.05;
constexpr std::array kRules = {config::Clipping::kFlat, config::Clipping::kAutomatic,
                               config::Clipping::kPerLayer, config::Clipping::kAdaptive};

data::Example of(std::string person, std::string text, std::int64_t label) {
  return {.text = std::move(text), .label = label, .person = std::move(person)};
}

/// One SGD step of learning rate 1 at a small classifier. The first texts and persons are those of
/// others; the words "canary" and "one" to "four" are those of one person.
class PersonPrivacy : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    std::ofstream(folder_ / "vocab.txt")
        << "[PAD]\n[UNK]\n[CLS]\n[SEP]\nplain\nother\ncanary\none\ntwo\nthree\nfour\n";
    std::ofstream(folder_ / "config.json")
        << R"({"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 1,)"
        << R"( "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 6,)"
        << R"( "initializer_range": 0.5, "classifier_pooling": "mean"})";
    job_.model = {.path = folder_.string(), .max_length = 6};
    job_.task = {.type = "sequence_classification", .labels = {"a", "b"}};
    job_.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
    job_.differential_privacy.clipping_norm = kClip;
    job_.differential_privacy.noise_multiplier = 1e-6;
    job_.local_training = {.local_steps = 1,
                           .sampling_rate = 1,
                           .physical_batch_size = 7,
                           .optimizer = config::LocalOptimizer::kSgd,
                           .learning_rate = 1};
    job_.model.initial = config::InitialModel::kRandom;
    model_ = initial_model(job_).value();
  }

  static std::vector<data::Example> others() {
    return {of("p", "plain", 0), of("p", "plain other", 1), of("q", "other", 0),
            of("", "other plain", 1)};
  }

  [[nodiscard]] std::unique_ptr<training::Trainer> trainer(
      std::vector<data::Example> examples) const {
    data::SiteExamples site{data::Examples(std::move(examples)), {}};
    site.training_examples = site.training_persons = 4;
    return make_trainer(job_, {.device = test_device_setting()}, std::move(site)).value();
  }

  [[nodiscard]] std::vector<float> update_of(training::Trainer& trainer, std::uint64_t seed) const {
    crypto::StreamRandom random(seed);
    return trainer.train(model_, 1, random, nullptr).value().update.values;
  }

  /// What the person with these examples adds to the sum of clipped gradients, in clipping norms.
  [[nodiscard]] double change_by(const std::vector<data::Example>& person) const {
    std::vector<data::Example> all = others();
    all.insert(all.begin() + 2, person.begin(), person.end());
    const auto with = update_of(*trainer(std::move(all)), 1),
               without = update_of(*trainer(others()), 1);
    double squares = 0;
    for (std::size_t i = 0; i < with.size(); ++i) {
      const double change = 4 * (static_cast<double>(with[i]) - static_cast<double>(without[i]));
      squares += change * change;
    }
    return std::sqrt(squares) / kClip;
  }

  std::filesystem::path folder_;
  config::JobConfig job_;
  FlatParameters model_;
};

// Without the weights the heavy person would add ten clipping norms.
TEST_F(PersonPrivacy, APersonAddsAtMostOneClippingNormByEveryRule) {
  const std::vector<data::Example> heavy(40, of("heavy", "canary canary canary", 1));
  std::vector<data::Example> varied;
  for (const char* text : {"one", "two", "three", "four", "canary one", "canary two", "two one"})
    varied.push_back(of("heavy", text, 1));
  for (const config::Clipping rule : kRules)
    for (const std::uint32_t most : {1U, 3U, 10U, 1000U}) {
      job_.differential_privacy.clipping = rule;
      job_.differential_privacy.examples_per_person = most;
      const double aligned = change_by(heavy);
      EXPECT_LE(aligned, 1.0001) << config::word_of(rule) << " " << most;
      EXPECT_GT(aligned, rule == config::Clipping::kPerLayer ? 0.2 : 0.9)
          << "the examples of one person point in one direction";
      EXPECT_LE(change_by(varied), 1.0001) << config::word_of(rule) << " " << most;
    }
}

// The number of examples that a person has is hidden too: with the same gradient she adds the same.
TEST_F(PersonPrivacy, OneExampleCountsAsMuchAsManyEqualOnes) {
  const data::Example canary = of("heavy", "canary", 1);
  const double one = change_by({canary});
  for (const std::size_t count : {2U, 7U, 40U})
    EXPECT_NEAR(change_by(std::vector(count, canary)), one, 1e-4) << count;
}

// Examples of nobody are persons of their own, and so are those of persons with one example.
TEST_F(PersonPrivacy, PersonsWithOneExampleEachTrainBitForBitAsExamplesDo) {
  std::vector<data::Example> named;
  for (int i = 0; i < 12; ++i)
    named.push_back(of(i % 3 == 0 ? "" : "person " + std::to_string(i),
                       i % 2 == 0 ? "plain other" : "canary one two", i % 2));
  job_.local_training.sampling_rate = 0.5;
  job_.local_training.local_steps = 5;
  job_.differential_privacy.noise_multiplier = 0.5;
  for (const config::Clipping rule : kRules) {
    job_.differential_privacy.clipping = rule;
    job_.differential_privacy.unit = privacy::ProtectedUnit::kExample;
    const auto examples = update_of(*trainer(named), 7);
    job_.differential_privacy.unit = privacy::ProtectedUnit::kPerson;
    EXPECT_EQ(update_of(*trainer(named), 7), examples) << config::word_of(rule);
    EXPECT_NE(update_of(*trainer(named), 8), examples);
  }
}

// Where persons are the units, each is in a step with all of her used examples or with none.
TEST_F(PersonPrivacy, AStepDrawsPersonsAndTheRateIsThatOfPersons) {
  const DrawUnits units({{0, 3}, {1}, {2, 4, 5}}, 7);
  EXPECT_EQ(units.size(), 3U);
  EXPECT_EQ(units.examples_of({0, 2}), (std::vector<std::uint64_t>{0, 3, 2, 4, 5}));
  EXPECT_EQ(units.unused(), 1U);
  EXPECT_DOUBLE_EQ(units.weights()[3], 0.5);
  EXPECT_DOUBLE_EQ(units.weights()[5], 1.0 / 3);
  EXPECT_EQ(units.weights()[6], 0);
  job_.local_training.sampling_rate = 0;
  job_.local_training.expected_batch_size = 2;
  const auto t = trainer(std::vector<data::Example>(20, of("heavy", "canary", 1)));
  EXPECT_EQ(t->training_units(), 4U);
  EXPECT_EQ(t->protected_unit(), privacy::ProtectedUnit::kPerson);
  EXPECT_DOUBLE_EQ(t->steps_per_round().sampling_rate, 0.5) << "two of four declared persons";
}

TEST_F(PersonPrivacy, TheSiteIsToldWhatIsNotUsed) {
  job_.differential_privacy.examples_per_person = 5;
  std::vector<data::Example> examples = others();
  for (int i = 0; i < 12; ++i)
    examples.push_back(of("heavy", "canary one", 1));
  const auto warnings = trainer(std::move(examples))->data_warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0],
            "7 of 16 training examples are not used, because the job uses at most 5 of one person "
            "(differential_privacy.examples_per_person)");
  const auto few = trainer({of("heavy", "canary", 1), of("heavy", "one", 1)})->data_warnings();
  ASSERT_EQ(few.size(), 1U);
  EXPECT_EQ(few[0],
            "this site declares 4 persons and has 1; sampling and step sizes use the declared "
            "number");
}

// The figure that adaptive clipping releases beside the sum: a person changes it by 1/2 at most.
TEST(PersonCount, APersonChangesTheCountByAHalfAtMost) {
  at::Tensor value = at::zeros({2}), gradient = at::zeros({2});
  Clipping clipping({.clipping_norm = 1, .clipping = config::Clipping::kAdaptive},
                    {{"a.weight", value, gradient}});
  for (const int most : {1, 3, 7, 10}) {
    for (const double square : {0.25, 4.0, std::numeric_limits<double>::infinity()}) {
      const double before = clipping.count();
      clipping.factors(at::full({1, most}, square, at::kDouble),
                       at::full({most}, 1.0 / most, at::kDouble));
      EXPECT_NEAR(clipping.count() - before, square < 1 ? 0.5 : -0.5, 1e-12) << most;
    }
  }
}

/// The adversary of privacy_audit_test.cc, with a person of ten aligned examples as the canary: the
/// share of runs with her whose sum is above half of her contribution, less that without her.
TEST_F(PersonPrivacy, TheAttackSeesAPersonWithTenExamplesAsOneExample) {
  const auto advantage = [this](privacy::ProtectedUnit unit) {
    job_.differential_privacy.unit = unit;
    std::vector<data::Example> with = others();
    with.insert(with.end(), 10, of("heavy", "canary", 1));
    job_.differential_privacy.noise_multiplier = 1e-6;
    const auto full = update_of(*trainer(with), 1), base = update_of(*trainer(others()), 1);
    std::vector<double> direction;
    for (std::size_t i = 0; i < full.size(); ++i)
      direction.push_back(static_cast<double>(full[i]) - static_cast<double>(base[i]));
    const double threshold =
        std::inner_product(direction.begin(), direction.end(), direction.begin(), 0.0) / 2;
    crypto::StreamRandom random(9);
    const auto share_above = [&](training::Trainer& t) {
      constexpr int kTries = 1000;
      int above = 0;
      for (int i = 0; i < kTries; ++i) {
        const auto values = t.train(model_, 1, random, nullptr).value().update.values;
        double score = 0;
        for (std::size_t j = 0; j < values.size(); ++j)
          score += (static_cast<double>(values[j]) - static_cast<double>(base[j])) * direction[j];
        above += score > threshold ? 1 : 0;
      }
      return static_cast<double>(above) / kTries;
    };
    job_.differential_privacy.noise_multiplier = 1;
    return share_above(*trainer(with)) - share_above(*trainer(others()));
  };
  // Of the Gaussian mechanism at distance mu the advantage is 2 Phi(mu / 2) - 1: 0.383 at mu = 1.
  // Five standard deviations of the measured one are 0.1.
  const double of_person = advantage(privacy::ProtectedUnit::kPerson);
  EXPECT_NEAR(of_person, 0.383, 0.1);
  EXPECT_GT(advantage(privacy::ProtectedUnit::kExample), 0.99)
      << "ten examples of one person, each protected by itself";
}

}  // namespace
}  // namespace sotto::learning

// Proof by attack (docs/privacy.md; Nasr et al. 2023): whoever sees the released updates of the
// real trainer must not tell a site with a canary from one without better than the noise allows.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numeric>

#include <gtest/gtest.h>

#include "participant/learning/torch_models.h"
#include "tests/participant/learning/own_folder.h"
#include "tests/participant/learning/test_device.h"

namespace sotto::learning {
namespace {

constexpr double kClip = 0.01;  // far below the canary's own gradient: it is clipped

double normal_quantile(double p) {
  double low = -10, high = 10;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < p ? low : high) = middle;
  }
  return low;
}

double binomial_cdf(std::uint64_t k, std::uint64_t n, double p) {
  const auto log_gamma = [](std::uint64_t v) { return std::lgamma(static_cast<double>(v) + 1); };
  double sum = 0;
  for (std::uint64_t i = 0; i <= k; ++i)
    sum += std::exp(log_gamma(n) - log_gamma(i) - log_gamma(n - i) +
                    static_cast<double>(i) * std::log(p) +
                    static_cast<double>(n - i) * std::log1p(-p));
  return sum;
}

/// Clopper-Pearson: the rate above which so few of n would be seen with probability below 0.05 %.
double upper_bound(std::uint64_t seen, std::uint64_t n) {
  double low = static_cast<double>(seen) / static_cast<double>(n), high = 1;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (binomial_cdf(seen, n, middle) > 5e-4 ? low : high) = middle;
  }
  return high;
}

/// SOTTO_AUDIT_TRIES for a sharper attack by hand: 100000 take some minutes a test.
std::uint64_t tries_or(std::uint64_t unless_said) {
  const char* said = std::getenv("SOTTO_AUDIT_TRIES");
  return said == nullptr ? unless_said : std::strtoull(said, nullptr, 10);
}

class PrivacyAudit : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = own_folder();
    std::ofstream(folder_ / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\nplain\ncanary\n";
    std::ofstream(folder_ / "config.json")
        << R"({"vocab_size": 6, "hidden_size": 4, "num_hidden_layers": 1,)"
        << R"( "num_attention_heads": 1, "intermediate_size": 4, "max_position_embeddings": 4,)"
        << R"( "initializer_range": 0.5, "classifier_pooling": "mean"})";
    job_.model = {
        .path = folder_.string(), .max_length = 4, .initial = config::InitialModel::kRandom};
    job_.task = {.type = "sequence_classification", .labels = {"a", "b"}};
    job_.differential_privacy.clipping_norm = kClip;
    job_.local_training = {.local_steps = 1,
                           .sampling_rate = 1,
                           .optimizer = config::LocalOptimizer::kSgd,
                           .learning_rate = 1};
    model_ = initial_model(job_).value();
  }

  /// What one step adds up: the sum of clipped gradients with its noise.
  std::vector<double> released_sum(training::Trainer& trainer, double examples) {
    const training::TrainedUpdate trained = trainer.train(model_, 1, random_, nullptr).value();
    std::vector<double> sum;
    for (const float v : trained.update.values)
      sum.push_back(-static_cast<double>(v) * examples);
    return sum;
  }

  std::unique_ptr<training::Trainer> trainer(double noise, bool with_canary) {
    job_.differential_privacy.noise_multiplier = noise;
    std::vector<data::Example> train{{"plain", 0}};
    if (with_canary) train.push_back({"canary", 1});
    return make_trainer(job_, {.device = test_device_setting()}, {std::move(train), {}}).value();
  }

  /// What the site really does, where it claims noise of one clipping norm kClip.
  struct Doing {
    double noise = 1;          // in kClip
    double clipping_norm = 1;  // in kClip
  };

  /// The lower bound of the distance (mu of Gaussian DP, claimed to be 1) between the two worlds
  /// that `tries` runs of each prove at 99.9 % confidence.
  double proven_mu(const Doing& doing, std::uint64_t tries) {
    job_.differential_privacy.clipping_norm = doing.clipping_norm * kClip;
    constexpr double kAlmostNone = 1e-3;
    const auto base = released_sum(*trainer(kAlmostNone, false), 1);
    auto canary = released_sum(*trainer(kAlmostNone, true), 2);
    for (std::size_t i = 0; i < canary.size(); ++i)
      canary[i] -= base[i];
    EXPECT_NEAR(std::sqrt(std::inner_product(canary.begin(), canary.end(), canary.begin(), 0.0)),
                doing.clipping_norm * kClip, 1e-2 * kClip);
    const double threshold =
        std::inner_product(canary.begin(), canary.end(), canary.begin(), 0.0) / 2;
    const auto count_above = [&](bool with_canary) {
      const auto t = trainer(doing.noise / doing.clipping_norm, with_canary);
      std::uint64_t above = 0;
      for (std::uint64_t i = 0; i < tries; ++i) {
        const auto sum = released_sum(*t, with_canary ? 2 : 1);
        double score = 0;
        for (std::size_t j = 0; j < sum.size(); ++j)
          score += (sum[j] - base[j]) * canary[j];
        above += score > threshold ? 1 : 0;
      }
      return above;
    };
    const std::uint64_t false_positives = count_above(false);
    const std::uint64_t false_negatives = tries - count_above(true);
    const double mu = normal_quantile(1 - upper_bound(false_positives, tries)) -
                      normal_quantile(upper_bound(false_negatives, tries));
    RecordProperty("mu", std::to_string(mu));
    std::cout << "proven mu at " << tries << " tries: " << mu << "\n";
    return mu;
  }

  std::filesystem::path folder_;
  config::JobConfig job_;
  FlatParameters model_;
  crypto::StreamRandom random_{17};
};

// Expected of correct noise: about 0.91 (docs/privacy.md).
TEST_F(PrivacyAudit, TheAttackFindsNoMoreThanTheNoiseAllowsAndIsNotBlind) {
  const double mu = proven_mu({}, tries_or(10000));
  EXPECT_LT(mu, 1.0);
  EXPECT_GT(mu, 0.9);
}

// The mutants that the gate must catch, at expected mu of 1.05, 1.25, 1.7 and 1.7: tries enough for
// three standard deviations above 1.
TEST_F(PrivacyAudit, TheAttackCatchesNoiseATenthTooSmall) {
  EXPECT_GT(proven_mu({.noise = 0.9}, tries_or(20000)), 1.0);
}

TEST_F(PrivacyAudit, TheAttackCatchesHalfTheVariance) {
  EXPECT_GT(proven_mu({.noise = 0.7071}, tries_or(2500)), 1.0);
}

TEST_F(PrivacyAudit, TheAttackCatchesHalfTheNoise) {
  EXPECT_GT(proven_mu({.noise = 0.5}, tries_or(1000)), 1.0);
}

TEST_F(PrivacyAudit, TheAttackCatchesAClipTwiceAsLarge) {
  EXPECT_GT(proven_mu({.clipping_norm = 2}, tries_or(1000)), 1.0);
}

}  // namespace
}  // namespace sotto::learning

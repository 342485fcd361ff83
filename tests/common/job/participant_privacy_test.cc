// What a job's section distributed_privacy becomes (common/job/participant_privacy.h,
// common/secagg/shared/noisy_round.h): the same at everybody, from (n, C) and the job.
#include "common/job/participant_privacy.h"

#include <cmath>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "common/config/parse.h"
#include "common/encoding/rotation.h"
#include "common/job/plan.h"
#include "common/privacy/accounting/rdp_accountant.h"
#include "common/secagg/randomness/draw.h"
#include "common/secagg/shared/noisy_round.h"

namespace sotto::job {
namespace {

constexpr std::uint64_t kParameters = 5000;
constexpr secagg::GraphRules kRules{.full_graph_max = 256, .dropout_percent = 10};

config::JobConfig noisy_job() {
  config::JobConfig job;
  job.task.labels = {"yes", "no"};
  job.rounds.num_server_rounds = 30;
  job.rounds.min_available_participants = 20;
  job.secure_aggregation.max_colluders = 2;
  job.distributed_privacy = {.enabled = true,
                             .mechanism = privacy::NoiseMechanism::kDiscreteGaussian,
                             .clipping_norm = 0.5,
                             .noise_multiplier = 0,
                             .target_epsilon = 6,
                             .target_delta = 1e-6};
  return job;
}

encoding::NoiseTerms terms_of(const config::JobConfig& job) {
  return noise_terms(job, kParameters).value().value();
}

privacy::NoisyRounds round_of(const config::JobConfig& job, std::uint32_t n, std::uint32_t C) {
  return secagg::round_encoding(encoding_of(job), terms_of(job), graph_rules(job), {n, C})
      .value()
      .spec.noise->round;
}

double epsilon_of_all(const privacy::NoisyRounds& rounds, double delta = 1e-6) {
  privacy::RdpAccountant accountant;
  EXPECT_TRUE(accountant.add(rounds).ok());
  return accountant.epsilon(delta);
}

double epsilon_of(privacy::NoisyRounds rounds, std::uint64_t count) {
  rounds.rounds = count;
  return epsilon_of_all(rounds);
}

TEST(ParticipantPrivacy, AJobWithoutTheSectionHasNoNoise) {
  config::JobConfig job = noisy_job();
  job.distributed_privacy.enabled = false;
  EXPECT_FALSE(noise_terms(job, kParameters).value().has_value());
  const auto round =
      secagg::round_encoding(encoding_of(job), std::nullopt, graph_rules(job), {.n = 20, .C = 2});
  EXPECT_FALSE(round->spec.noise.has_value());
  EXPECT_EQ(round->s_min, secagg::complete_graph_thresholds(20, 2)->s_min);
}

TEST(ParticipantPrivacy, ATargetIsReachedInTheSmallestCohortAndHardlyMore) {
  for (const auto mechanism :
       {privacy::NoiseMechanism::kDiscreteGaussian, privacy::NoiseMechanism::kSkellam}) {
    config::JobConfig job = noisy_job();
    job.distributed_privacy.mechanism = mechanism;
    const privacy::NoisyRounds all = noise_of_job(job, terms_of(job)).value();
    EXPECT_EQ(all.rounds, 30U);
    const double epsilon = epsilon_of_all(all);
    EXPECT_LE(epsilon, 6) << config::word_of(mechanism);
    EXPECT_GT(epsilon, 0.999 * 6) << config::word_of(mechanism);
  }
}

// The multiplier is fixed for the run; cohorts of other sizes must not cost more for it.
TEST(ParticipantPrivacy, ALargerCohortCostsNoMore) {
  for (const auto mechanism :
       {privacy::NoiseMechanism::kDiscreteGaussian, privacy::NoiseMechanism::kSkellam}) {
    config::JobConfig job = noisy_job();
    job.distributed_privacy.mechanism = mechanism;
    for (std::uint32_t n : {20U, 21U, 37U, 100U, 256U, 1000U})
      EXPECT_LE(epsilon_of(round_of(job, n, 2), 30), 6) << config::word_of(mechanism) << " " << n;
  }
}

TEST(ParticipantPrivacy, ANamedMultiplierIsTaken) {
  config::JobConfig job = noisy_job();
  job.distributed_privacy.noise_multiplier = 1.25;
  EXPECT_EQ(terms_of(job).noise_multiplier, 1.25);
  const privacy::NoisyRounds round = round_of(job, 40, 2);
  EXPECT_NEAR(static_cast<double>(round.variance) / privacy::kVarianceUnit * round.unknown_noises /
                  static_cast<double>(round.squared_sensitivity),
              1.25 * 1.25, 1e-6);
  EXPECT_EQ(round.dimension, encoding::rotated_length(kParameters));
}

// s_min = max(Q, C + 2, n - d): Q of (40, 2) is 22, a tenth of 40 may be missing.
TEST(NoisyRound, ASumNeedsEverybodyButTheExpectedDropouts) {
  EXPECT_EQ(secagg::noisy_s_min(kRules, {.n = 40, .C = 2}).value(), 36U);
  EXPECT_EQ(secagg::noisy_s_min(kRules, {.n = 9, .C = 1}).value(), 9U) << "a tenth of 9 is none";
  secagg::GraphRules many = kRules;
  many.dropout_percent = 50;
  EXPECT_EQ(secagg::noisy_s_min(many, {.n = 40, .C = 2}).value(), 22U) << "Q is more than a half";
  EXPECT_FALSE(secagg::noisy_s_min(kRules, {.n = 4, .C = 3}).ok());
}

TEST(NoisyRound, TheColludersNoisesAreTakenAsKnown) {
  const config::JobConfig job = noisy_job();
  EXPECT_EQ(round_of(job, 40, 2).unknown_noises, 34U);
  EXPECT_EQ(round_of(job, 40, 9).unknown_noises, 27U);
  EXPECT_GT(round_of(job, 40, 9).variance, round_of(job, 40, 2).variance);
}

// What a header of a drawn cohort says, not what the roster would.
TEST(NoisyRound, ADrawnCohortHasItsOwnSizeAndColluders) {
  secagg::CohortDraw draw{.shared_randomness = {}, .cohort_size = 400};
  for (std::uint32_t i = 1; i <= 2000; ++i)
    draw.shared_randomness.members.push_back(MemberId{i});
  const std::uint32_t colluders = secagg::colluders_in_round(draw, 100);
  ASSERT_LT(colluders, 100U);
  const config::JobConfig job = noisy_job();
  EXPECT_EQ(round_of(job, 400, colluders).unknown_noises, 360U - colluders);
}

// configs/distributed-privacy, as its README counts it.
TEST(ParticipantPrivacy, TheWorkedExampleIsPlannedAsItsFiguresSay) {
  std::ifstream in(SOTTO_SOURCE_DIR "/configs/distributed-privacy/job.json");
  const auto parsed = config::parse_job(std::string{std::istreambuf_iterator<char>(in), {}}, "job");
  ASSERT_TRUE(std::holds_alternative<config::JobConfig>(parsed));
  const auto& job = std::get<config::JobConfig>(parsed);
  const auto terms = noise_terms(job, 15'703);
  ASSERT_TRUE(terms.ok() && *terms) << terms.error().message;
  const privacy::NoisyRounds all = noise_of_job(job, **terms).value();
  EXPECT_EQ(all.unknown_noises, 57U);
  EXPECT_EQ(all.dimension, 16384U);
  EXPECT_NEAR(epsilon_of_all(all, 1e-5), 8, 0.01);
}

TEST(ParticipantPrivacy, WhatCannotBeIsRefusedInTheSectionsName) {
  const auto refused = [](auto change) {
    config::JobConfig job = noisy_job();
    change(job);
    const auto terms = noise_terms(job, kParameters);
    return !terms.ok() && terms.error().message.starts_with("distributed_privacy: ");
  };
  EXPECT_FALSE(refused([](auto&) {}));
  EXPECT_TRUE(refused([](auto& job) { job.distributed_privacy.noise_multiplier = 1e-9; }));
  EXPECT_TRUE(refused([](auto& job) { job.distributed_privacy.target_delta = 1e-30; }));
  EXPECT_TRUE(refused([](auto& job) {
    job.distributed_privacy.mechanism = privacy::NoiseMechanism::kSkellam;
    job.distributed_privacy.noise_multiplier = 500;
  })) << "more noise than Skellam's table holds";
}

}  // namespace
}  // namespace sotto::job

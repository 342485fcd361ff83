// Noise inside the sum in whole runs (docs/secure-aggregation.md, 4): the production encoding,
// ledgers and coordinator over a bad network. Statistical bounds are 5 standard deviations, with
// fixed seeds.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "common/privacy/accounting/rdp_accountant.h"
#include "tests/federation/federation.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

constexpr double kDelta = 1e-5;
constexpr double kNorm = 0.01;  // clips the updates of FakeModels from some hundred values on
const RoundNumber kFirst = RoundNumber::of(1, 0);

struct Noise {
  double multiplier = 1;
  std::string mechanism = "discrete_gaussian";
};

FederationConfig noisy(std::uint32_t members, const Noise& noise,
                       const std::vector<std::string>& overrides = {}) {
  std::vector<std::string> all{
      "rounds.num_server_rounds=1", "distributed_privacy.enabled=true",
      "distributed_privacy.clipping_norm=" + std::to_string(kNorm),
      "distributed_privacy.noise_multiplier=" + std::to_string(noise.multiplier),
      "distributed_privacy.mechanism=" + noise.mechanism};
  all.insert(all.end(), overrides.begin(), overrides.end());
  return {.seed = 61, .members = members, .job = small_job(all)};
}

double epsilon_of(privacy::NoisyRounds round, std::uint64_t rounds) {
  round.rounds = rounds;
  privacy::RdpAccountant accountant;
  EXPECT_TRUE(accountant.add(round).ok());
  return accountant.epsilon(kDelta);
}

double spent_by(const Federation& federation, MemberId member) {
  return federation.charges(member).back().participant_epsilon_after;
}

/// The charges of training rounds.
std::vector<privacy::NoisyRounds> noises_of(const Federation& federation, MemberId member) {
  std::vector<privacy::NoisyRounds> out;
  for (const auto& entry : federation.charges(member))
    if (entry.charge.round.server_round() <= federation.job().rounds.num_server_rounds)
      out.push_back(entry.charge.noise.value());
  return out;
}

/// The mean over the survivors of the first round of what they trained, each scaled down to kNorm.
std::vector<double> clipped_mean(Federation& federation) {
  const std::set<MemberId>& survivors = federation.checker().survivors(kFirst);
  std::vector<double> mean;
  for (MemberId member : survivors) {
    const std::vector<float> update = federation.update_of(member, 1);
    const double norm =
        std::sqrt(std::inner_product(update.begin(), update.end(), update.begin(), 0.0));
    EXPECT_GT(norm, 2 * kNorm) << "the clip has something to do";
    mean.resize(update.size());
    for (std::size_t i = 0; i < update.size(); ++i)
      mean[i] += kNorm * double{update[i]} / norm / static_cast<double>(survivors.size());
  }
  return mean;
}

/// Returns the values that the only training round added to the model; its optimizer adds the mean.
std::vector<double> released_mean(const Federation& federation) {
  const std::vector<float> before = federation.initial_model().values;
  const std::vector<float>& after = federation.model().values;
  std::vector<double> mean(before.size());
  for (std::size_t i = 0; i < mean.size(); ++i)
    mean[i] = double{after[i]} - double{before[i]};
  return mean;
}

void expect_claimed_noise(Federation& federation) {
  const encoding::NoisyEncoding encoding = federation.rounds().front().noise.value();
  const auto survivors = static_cast<double>(federation.checker().survivors(kFirst).size());
  const std::vector<double> expected = clipped_mean(federation), mean = released_mean(federation);
  // The mean square of the error of the sum, in steps.
  double squares = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    squares += std::pow((mean[i] - expected[i]) * encoding.steps_per_unit * survivors, 2);
  const auto values = static_cast<double>(expected.size());
  const double measured = squares / values;
  const double each = static_cast<double>(encoding.round.variance) / privacy::kVarianceUnit;
  // Rounding adds between nothing and a quarter of a squared step for each survivor.
  const double slack = 5 * std::sqrt(2 / values);
  EXPECT_GT(measured, survivors * each * (1 - slack));
  EXPECT_LT(measured, survivors * (each + 0.25) * (1 + slack));
  // The statement requires that the part of the noise that no other party knows is at least z B.
  EXPECT_GE(each * encoding.round.unknown_noises * (1 + 1e-6),
            std::pow(0.5, 2) * static_cast<double>(encoding.round.squared_sensitivity));
}

TEST(NoisyRounds, TheReleasedMeanIsThatOfTheClippedUpdatesWithTheClaimedNoise) {
  for (const char* mechanism : {"discrete_gaussian", "skellam"}) {
    FederationConfig config = noisy(8, {.multiplier = 0.5, .mechanism = mechanism});
    config.values = 6000;
    Federation federation(config);
    ASSERT_TRUE(federation.run()) << federation.report();
    EXPECT_TRUE(federation.failures().empty()) << federation.report();
    ASSERT_EQ(federation.rounds().front().status, RoundStatus::kDone) << federation.report();
    expect_claimed_noise(federation);
  }
}

// Little noise, so that a wrong clip or a wrong divisor shows in the projection.
TEST(NoisyRounds, ADropoutLeavesTheMeanOfTheOthers) {
  FederationConfig config =
      noisy(8, {.multiplier = 0.02}, {"secure_aggregation.expected_dropout_percent=20"});
  config.values = 3000;
  config.faults = {{.member = MemberId{4}, .moment = Moment::kUploadBytes}};
  Federation federation(config);
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  ASSERT_EQ(federation.checker().survivors(kFirst).size(), 7U) << federation.report();
  const std::vector<double> expected = clipped_mean(federation), mean = released_mean(federation);
  const double product = std::inner_product(mean.begin(), mean.end(), expected.begin(), 0.0);
  const double square = std::inner_product(expected.begin(), expected.end(), expected.begin(), 0.0);
  // The projection's deviation is that of one word of the mean over the length of the mean.
  const double word = 0.02 * kNorm * std::sqrt(7.0 / 6) / 7;
  EXPECT_NEAR(product / square, 1, 5 * word / std::sqrt(square) + 0.01);
}

TEST(NoisyRounds, FewerSurvivorsThanTheNoiseIsMadeForReleaseNothing) {
  const FaultPlan two{{.member = MemberId{4}, .moment = Moment::kUploadBytes},
                      {.member = MemberId{6}, .moment = Moment::kUploadBytes}};
  Federation plain(
      {.members = 10, .job = small_job({"rounds.num_server_rounds=1"}), .faults = two});
  ASSERT_TRUE(plain.run()) << plain.report();
  EXPECT_EQ(plain.checker().status(kFirst), RoundStatus::kDone) << "without noise 8 are enough";

  FederationConfig config = noisy(10, {});
  config.faults = two;
  Federation federation(config);
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.checker().header(kFirst)->s_min, 9U);
  EXPECT_NE(federation.checker().status(kFirst), RoundStatus::kDone);
  EXPECT_EQ(federation.checker().shares_revealed(kFirst), 0U);
}

TEST(NoisyRounds, EveryLedgerSaysWhatTheAccountantSays) {
  Federation federation(noisy(6, {.multiplier = 2}, {"rounds.num_server_rounds=3"}));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  const auto noise = federation.rounds().front().noise->round;
  EXPECT_EQ(noise.unknown_noises, 5U) << "six survivors at least, less one colluder";
  const double epsilon = epsilon_of(noise, 3);
  EXPECT_NEAR(federation.status().participant_epsilon.value(), epsilon, 1e-9);
  for (std::uint32_t id = 1; id <= 6; ++id) {
    EXPECT_NEAR(spent_by(federation, MemberId{id}), epsilon, 1e-9);
    const auto noises = noises_of(federation, MemberId{id});
    EXPECT_EQ(noises.size(), 3U);
    for (const auto& each : noises)
      EXPECT_EQ(each, noise);
  }
}

TEST(NoisyRounds, ADrawnCohortOnTheRingHasTheNoiseOfItsOwnSize) {
  Federation federation(
      noisy(30, {},
            {"rounds.num_server_rounds=2", "secure_aggregation.max_colluders=2",
             "rounds.min_available_participants=4", "secure_aggregation.full_graph_max=20",
             "secure_aggregation.cohort_size=22"}));
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  EXPECT_EQ(federation.done_rounds(), 3U) << federation.report();
  const wire::RoundHeader header = federation.checker().header(kFirst).value();
  EXPECT_EQ(header.graph, wire::Graph::kCirculant);
  EXPECT_EQ(header.s_min, 20U) << "22 less a tenth";
  std::size_t charges = 0;
  for (std::uint32_t id = 1; id <= 30; ++id)
    for (const auto& noise : noises_of(federation, MemberId{id})) {
      EXPECT_EQ(noise.unknown_noises, 20U - header.C);
      ++charges;
    }
  EXPECT_EQ(charges, 2U * 22);
}

TEST(NoisyRounds, ASpentParticipantBudgetEndsTheReleases) {
  FederationConfig config = noisy(5, {},
                                  {"rounds.num_server_rounds=4", "rounds.attempts_per_round=3",
                                   "rounds.min_available_participants=5"});
  Federation unlimited(config);
  ASSERT_TRUE(unlimited.run()) << unlimited.report();
  const auto noise = unlimited.rounds().front().noise->round;
  ASSERT_NEAR(spent_by(unlimited, MemberId{1}), epsilon_of(noise, 4), 1e-9);

  // A site that cannot pay for the whole job declines it, so the budget pays for the four rounds
  // and one lost attempt. Two attempts are lost.
  config.max_participant_epsilon = (epsilon_of(noise, 5) + epsilon_of(noise, 6)) / 2;
  for (const std::uint64_t round : {0U, 1U})
    for (const std::uint32_t id : {4U, 5U})
      config.faults.push_back({.member = MemberId{id},
                               .round = round,
                               .moment = Moment::kEndorse,
                               .kind = Fault::Kind::kCrash});
  Federation federation(config);
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  for (std::uint32_t id = 1; id <= 5; ++id) {
    EXPECT_NEAR(spent_by(federation, MemberId{id}), epsilon_of(noise, 5), 1e-9);
    EXPECT_EQ(federation.trained(MemberId{id}), (std::vector<std::uint64_t>{1, 1, 2, 2, 3}))
        << "no core is spent on what cannot leave";
    EXPECT_FALSE(federation.checker().uploaded(MemberId{id}, RoundNumber::of(4, 0)));
  }
}

TEST(NoisyRounds, ACrashAfterTheChargeNeverCountsTooLittle) {
  FederationConfig config =
      noisy(5, {}, {"rounds.attempts_per_round=3", "rounds.min_available_participants=5"});
  config.faults = {{.member = MemberId{3}, .moment = Moment::kUpload, .kind = Fault::Kind::kCrash}};
  Federation federation(config);
  ASSERT_TRUE(federation.run()) << federation.report();
  EXPECT_TRUE(federation.failures().empty()) << federation.report();
  const auto rounds = federation.rounds();
  ASSERT_EQ(rounds.size(), 3U) << "five of five are needed";
  EXPECT_EQ(rounds[0].status, RoundStatus::kAborted) << federation.report();
  EXPECT_EQ(rounds[1].status, RoundStatus::kDone) << federation.report();
  const auto noise = rounds[1].noise->round;
  EXPECT_NEAR(spent_by(federation, MemberId{3}), epsilon_of(noise, 2), 1e-9)
      << "what it charged before it died stays, and it trained again";
  // The others' first round is certainly aborted, and the same update left under the same noise.
  EXPECT_NEAR(spent_by(federation, MemberId{1}), epsilon_of(noise, 1), 1e-9);
}

}  // namespace
}  // namespace sotto::simulation

// Noise inside the sum over real sites, ledgers and a bad network (docs/secure-aggregation.md, 4).
// Statistical bounds are 5 standard deviations, with fixed seeds.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "common/privacy/accounting/rdp_accountant.h"
#include "tests/common/encoding/whole_mean.h"
#include "tests/simulation/world.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

constexpr double kDelta = 1e-5;

MemberId id(std::uint32_t i) {
  return MemberId{101 + 2 * i};
}

double epsilon_of(privacy::NoisyRounds round, std::uint64_t rounds) {
  round.rounds = rounds;
  privacy::RdpAccountant accountant;
  EXPECT_TRUE(accountant.add(round).ok());
  return accountant.epsilon(kDelta);
}

double spent_by(const World& world, const Site& site) {
  return world.ledger().both_spent(site.dataset(), kDelta)->participant_epsilon;
}

/// The mean over the survivors of what they trained, each scaled down to norm 1.
std::vector<double> clipped_mean(World& world, const RoundRecord& round) {
  std::vector<double> mean;
  for (MemberId member : round.survivors) {
    const std::vector<float> update = world.site(member).trained_update(round.round);
    const double norm =
        std::sqrt(std::inner_product(update.begin(), update.end(), update.begin(), 0.0));
    EXPECT_GT(norm, 1) << "the clip has something to do";
    mean.resize(update.size());
    for (std::size_t i = 0; i < update.size(); ++i)
      mean[i] += double{update[i]} / norm / static_cast<double>(round.survivors.size());
  }
  return mean;
}

/// Of the error of a mean, in steps of the sum: its mean square a word.
double noise_in(const RoundRecord& round, const std::vector<double>& expected,
                const encoding::NoisyEncoding& encoding) {
  const double steps = encoding.steps_per_unit * static_cast<double>(round.survivors.size());
  const std::vector<float> mean = encoding::whole_mean(*round.sum);
  double squares = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    squares += std::pow((double{mean[i]} - expected[i]) * steps, 2);
  return squares / static_cast<double>(expected.size());
}

void expect_claimed_noise(World& world, const RoundRecord& round) {
  const encoding::NoisyEncoding encoding = world.encoding(round.round).noise.value();
  const std::vector<double> expected = clipped_mean(world, round);
  const auto survivors = static_cast<double>(round.survivors.size());
  const double each = static_cast<double>(encoding.round.variance) / privacy::kVarianceUnit;
  const double measured = noise_in(round, expected, encoding);
  // Rounding adds between nothing and a quarter of a squared step for each.
  const double slack = 5 * std::sqrt(2 / static_cast<double>(expected.size()));
  EXPECT_GT(measured, survivors * each * (1 - slack));
  EXPECT_LT(measured, survivors * (each + 0.25) * (1 + slack));
  // What the statement rests on: the part of the noise that nobody else knows is z B.
  EXPECT_GE(each * encoding.round.unknown_noises * (1 + 1e-6),
            std::pow(0.5, 2) * static_cast<double>(encoding.round.squared_sensitivity));
}

TEST(NoisyRounds, TheReleasedMeanIsThatOfTheClippedUpdatesWithTheClaimedNoise) {
  for (const auto mechanism :
       {privacy::NoiseMechanism::kDiscreteGaussian, privacy::NoiseMechanism::kSkellam}) {
    World world(61, {},
                {.participants = 8,
                 .rounds = 1,
                 .values = 6000,
                 .noise_multiplier = 0.5,
                 .mechanism = mechanism});
    world.run();
    EXPECT_TRUE(world.failures().empty()) << world.report();
    ASSERT_EQ(world.rounds()[0].status, RoundStatus::kDone) << world.report();
    expect_claimed_noise(world, world.rounds()[0]);
  }
}

// Little noise, so that a wrong clip or a wrong divisor shows in the projection.
TEST(NoisyRounds, ADropoutLeavesTheMeanOfTheOthers) {
  const FaultPlan plan{{.member = id(3), .moment = Moment::kUploadBytes}};
  World world(62, plan,
              {.participants = 8,
               .rounds = 1,
               .values = 3000,
               .noise_multiplier = 0.02,
               .dropout_percent = 20});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  const RoundRecord& round = world.rounds()[0];
  ASSERT_EQ(round.survivors.size(), 7U) << world.report();
  const std::vector<double> expected = clipped_mean(world, round);
  const std::vector<float> mean = encoding::whole_mean(*round.sum);
  double product = 0, square = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    product += expected[i] * double{mean[i]};
    square += expected[i] * expected[i];
  }
  // The projection's deviation is that of one word of the mean over the length of the mean.
  EXPECT_NEAR(product / square, 1, 5 * 0.02 * std::sqrt(7.0 / 6) / 7 / std::sqrt(square) + 0.01);
}

TEST(NoisyRounds, FewerSurvivorsThanTheNoiseIsMadeForReleaseNothing) {
  const FaultPlan two{{.member = id(3), .moment = Moment::kUploadBytes},
                      {.member = id(5), .moment = Moment::kUploadBytes}};
  World plain(63, two, {.participants = 10, .rounds = 1});
  plain.run();
  ASSERT_EQ(plain.rounds()[0].status, RoundStatus::kDone) << "without noise 8 of 10 are enough";

  World world(63, two, {.participants = 10, .rounds = 1, .noise_multiplier = 1});
  EXPECT_EQ(world.header(RoundNumber::of(1, 0)).s_min, 9U);
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  EXPECT_NE(world.rounds()[0].status, RoundStatus::kDone);
  EXPECT_FALSE(world.rounds()[0].sum.has_value());
  EXPECT_EQ(world.checker().shares_revealed(world.rounds()[0].round), 0U);
}

TEST(NoisyRounds, EveryLedgerSaysWhatTheAccountantSays) {
  World world(64, {}, {.participants = 6, .rounds = 3, .noise_multiplier = 2});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  const auto noise = world.encoding(RoundNumber::of(1, 0)).noise->round;
  EXPECT_EQ(noise.unknown_noises, 5U) << "six survivors at least, less one colluder";
  for (std::uint32_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(spent_by(world, world.site(id(i))), epsilon_of(noise, 3), 1e-9);
    const auto entries = world.ledger().entries(world.site(id(i)).dataset(), kDelta).value();
    for (const auto& entry : entries)
      EXPECT_EQ(entry.charge.noise, noise);
  }
}

TEST(NoisyRounds, ADrawnCohortOnTheRingHasTheNoiseOfItsOwnSize) {
  World world(65, {},
              {.participants = 30,
               .colluders = 2,
               .full_graph_max = 20,
               .cohort_size = 22,
               .rounds = 2,
               .noise_multiplier = 1});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  const wire::RoundHeader header = world.header(RoundNumber::of(1, 0));
  EXPECT_EQ(header.graph, wire::Graph::kCirculant);
  EXPECT_EQ(header.s_min, 20U) << "22 less a tenth";
  for (const RoundRecord& round : world.rounds()) {
    ASSERT_EQ(round.status, RoundStatus::kDone) << world.report();
    for (MemberId member : round.survivors) {
      const auto entries = world.ledger().entries(world.site(member).dataset(), kDelta).value();
      for (const auto& entry : entries)
        EXPECT_EQ(entry.charge.noise->unknown_noises, 20U - header.C);
    }
  }
}

TEST(NoisyRounds, ASpentParticipantBudgetEndsTheReleases) {
  const WorldConfig config{.participants = 5, .rounds = 4, .noise_multiplier = 1};
  const auto noise = World(66, {}, config).encoding(RoundNumber::of(1, 0)).noise->round;
  WorldConfig limited = config;
  limited.max_participant_epsilon = (epsilon_of(noise, 2) + epsilon_of(noise, 3)) / 2;
  World world(66, {}, limited);
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  for (std::size_t round = 0; round < 4; ++round)
    EXPECT_EQ(world.rounds()[round].status == RoundStatus::kDone, round < 2) << round;
  for (std::uint32_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(spent_by(world, world.site(id(i))), epsilon_of(noise, 2), 1e-9);
    EXPECT_EQ(world.site(id(i)).trainings(), 2U) << "no core is spent on what cannot leave";
    EXPECT_FALSE(world.checker().uploaded(id(i), world.rounds()[2].round));
  }
}

TEST(NoisyRounds, ACrashAfterTheChargeNeverCountsTooLittle) {
  const FaultPlan plan{{.member = id(2),
                        .moment = Moment::kUpload,
                        .kind = Fault::Kind::kCrash,
                        .restart_after = Duration(300)}};
  World world(65, plan, {.participants = 5, .rounds = 1, .attempts = 3, .noise_multiplier = 1});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  ASSERT_EQ(world.rounds().back().status, RoundStatus::kDone) << world.report();
  ASSERT_EQ(world.rounds().size(), 2U) << "five of five are needed";
  const auto noise = world.encoding(RoundNumber::of(1, 0)).noise->round;
  EXPECT_NEAR(spent_by(world, world.site(id(2))), epsilon_of(noise, 2), 1e-9)
      << "what it charged before it died stays, and it trained again";
  // The others' first upload is burnt for certain, and the same update left under the same noise.
  EXPECT_NEAR(spent_by(world, world.site(id(0))), epsilon_of(noise, 1), 1e-9);
}

}  // namespace
}  // namespace sotto::simulation

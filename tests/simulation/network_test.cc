// What a bad network may change: who is in a sum, never what the sum is. And 200 seeded histories.
#include <algorithm>
#include <iostream>

#include <gtest/gtest.h>

#include "common/simulation/seeds.h"
#include "tests/simulation/seed_range.h"
#include "tests/simulation/world.h"

namespace sotto::simulation {
namespace {

using wire::RoundStatus;

std::uint64_t done(const World& world) {
  return static_cast<std::uint64_t>(std::ranges::count_if(
      world.rounds(), [](const auto& record) { return record.status == RoundStatus::kDone; }));
}

TEST(Network, AQuietOneLosesNothing) {
  World world(1, {}, {.participants = 5, .rounds = 3, .closing_evaluation = true});
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  EXPECT_EQ(done(world), 3U) << world.report();
  for (const auto& record : world.rounds()) {
    EXPECT_EQ(record.survivors.size(), 5U);
    EXPECT_EQ(record.rejections, 0U);
  }
  EXPECT_GT(world.rounds()[1].sum->scale.values, 0U);
  EXPECT_EQ(world.rounds()[2].sum->scale.values, 0U) << "the closing evaluation has counters only";
}

TEST(Network, DuplicatesAndReorderingChangeNothing) {
  WorldConfig quiet{.participants = 5, .rounds = 3};
  WorldConfig rough = quiet;
  rough.links = {.loss = 0, .duplicate = 0.5, .min_delay = Duration(1), .max_delay = Duration(400)};
  World one(2, {}, quiet);
  World two(2, {}, rough);
  one.run();
  two.run();
  EXPECT_TRUE(two.failures().empty()) << two.report();
  EXPECT_EQ(done(two), 3U) << two.report();
  EXPECT_EQ(one.model().values, two.model().values);
  for (const auto& record : two.rounds())
    EXPECT_EQ(record.rejections, 0U) << "a repetition is no breach of the protocol";
}

TEST(Network, NarrowLinksMakeRoundsSlowAndChangeNothingElse) {
  WorldConfig wide{.participants = 5, .rounds = 2};
  WorldConfig narrow = wide;
  narrow.links.bytes_per_second = 2000;  // a round is some thousand bytes a member
  World one(2, {}, wide);
  World two(2, {}, narrow);
  World again(2, {}, narrow);
  one.run();
  two.run();
  again.run();
  EXPECT_TRUE(two.failures().empty()) << two.report();
  EXPECT_EQ(done(two), 2U) << two.report();
  EXPECT_EQ(one.model().values, two.model().values);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(two.rounds()[i].survivors.size(), 5U);
    EXPECT_GT(two.rounds()[i].took, 2 * one.rounds()[i].took);
    EXPECT_EQ(two.rounds()[i].took, again.rounds()[i].took) << "seeded";
  }
}

TEST(Network, ALinkTooNarrowForTheDeadlinesLosesRoundsAndNeverASum) {
  WorldConfig config{.participants = 5, .rounds = 2};
  config.links.bytes_per_second = 100;
  World world(2, {}, config);
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  EXPECT_EQ(done(world), 0U) << world.report();
}

/// Uploads of some seconds, and less time for them.
WorldConfig with_slow_uploads() {
  WorldConfig config{.participants = 5, .rounds = 1, .values = 600};
  config.links.bytes_per_second = 3000;
  config.training_limit = Duration(5000);
  return config;
}

TEST(Network, ASlowUploadThatAdvancesIsWaitedForBeyondItsDeadline) {
  World world(2, {}, with_slow_uploads());
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  ASSERT_EQ(done(world), 1U) << world.report();
  EXPECT_EQ(world.rounds()[0].survivors.size(), 5U);
  std::cout << world.rounds()[0].took.count() << " ms\n";
}

TEST(Network, AnUploadThatOnlyTricklesIsNotWaitedForForEver) {
  WorldConfig config = with_slow_uploads();
  config.values = 20000;
  World world(2, {}, config);
  world.run();
  EXPECT_TRUE(world.failures().empty()) << world.report();
  EXPECT_EQ(done(world), 0U) << world.report();
}

TEST(Network, BrokenConnectionsAreTakenUpWhereTheyWere) {
  std::uint64_t rounds = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    World world(seed, {}, {.participants = 5, .rounds = 2, .flaps = 0.02});
    world.run();
    EXPECT_TRUE(world.failures().empty()) << world.report();
    rounds += done(world);
  }
  EXPECT_EQ(rounds, 20U) << "each side repeats its last message, so no break costs a round";
}

TEST(Network, LossMakesDropoutsAndNeverAWrongSum) {
  std::uint64_t rounds = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    WorldConfig config{.participants = 6, .rounds = 2};
    config.links.loss = 0.01;
    World world(seed, {}, config);
    world.run();
    EXPECT_TRUE(world.failures().empty()) << world.report();
    rounds += done(world);
  }
  EXPECT_GE(rounds, 10U);
}

TEST(Network, TheSameSeedGivesTheSameHistory) {
  WorldConfig config{.participants = 5, .rounds = 2, .flaps = 0.01};
  config.links.loss = 0.01;
  World one(3, {}, config);
  World two(3, {}, config);
  one.run();
  two.run();
  EXPECT_EQ(one.report(), two.report());
  EXPECT_EQ(one.model().values, two.model().values);
}

/// Everything at once, drawn from the seed.
struct History {
  explicit History(std::uint64_t seed)
      : random(derive_seed(seed, "history", 0)), bandwidth(derive_seed(seed, "bandwidth", 0)) {
    config.participants = static_cast<std::uint32_t>(3 + random.below(6));
    config.colluders = static_cast<std::uint32_t>(1 + random.below(config.participants - 2));
    config.rounds = 3;
    config.closing_evaluation = random.below(2) == 0;
    config.values = 1 + random.below(80);
    config.links.loss = pick(0.02);
    config.links.duplicate = pick(0.3);
    config.links.max_delay = Duration(static_cast<Duration::rep>(1 + random.below(500)));
    config.flaps = pick(0.02);
    config.links.bytes_per_second = bandwidth.below(4) == 0 ? 5000 + bandwidth.below(50000) : 0;
    const std::uint64_t faults = random.below(config.participants);
    for (std::uint64_t i = 0; i < faults; ++i)
      plan.push_back({.member = MemberId{static_cast<std::uint32_t>(
                          101 + 2 * random.below(config.participants))},
                      .round = random.below(config.rounds),
                      .moment = kMoments[random.below(std::size(kMoments))],
                      .kind = random.below(2) == 0 ? Fault::Kind::kSilent : Fault::Kind::kCrash,
                      .restart_after = Duration(static_cast<Duration::rep>(random.below(20000)))});
  }

  /// Off for half of the seeds, else uniform up to `most`.
  double pick(double most) { return random.below(2) == 0 ? 0.0 : most * random.unit(); }

  crypto::StreamRandom random;
  crypto::StreamRandom bandwidth;
  WorldConfig config;
  FaultPlan plan;
};

TEST(Seeds, WhateverHappensOnlyExactSumsAreReleased) {
  const SeedRange seeds = seeds_to_run(200);
  const bool one = seeds.last == seeds.first + 1;
  std::uint64_t rounds = 0, released = 0;
  for (std::uint64_t seed = seeds.first; seed < seeds.last; ++seed) {
    const History history(seed);
    World world(seed, history.plan, history.config);
    world.run();
    rounds += world.rounds().size();
    released += done(world);
    if (one) std::cout << world.report() << '\n';
    if (!world.failures().empty()) ADD_FAILURE() << world.report();
  }
  if (!one) {
    EXPECT_GT(4 * released, rounds) << "most histories are so bad that they show nothing";
    EXPECT_LT(released, rounds) << "no history was bad enough to fail a round";
  }
  std::cout << released << " of " << rounds << " rounds released a sum\n";
}

}  // namespace
}  // namespace sotto::simulation

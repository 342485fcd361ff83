// Whole runs of the production drivers under everything at once, drawn from a seed: loss,
// duplicates, delays, broken links, kills and power cuts at any event and at any persistence
// operation, members that die or become silent in place of a message. scripts/simulate_seeds.sh
// runs as many seeds as it is told to.
#include "common/simulation/seeds.h"

#include <iostream>

#include <gtest/gtest.h>

#include "tests/federation/federation.h"
#include "tests/federation/seed_range.h"

namespace sotto::simulation {
namespace {

constexpr std::uint64_t kSeeds = 500;
constexpr std::uint64_t kShards = 10;

/// What a seed decides.
class History {
 public:
  explicit History(std::uint64_t seed) : random_(derive_seed(seed, "history", 0)) {
    config.seed = seed;
    config.members = static_cast<std::uint32_t>(3 + random_.below(5));
    config.values = 1 + random_.below(60);
    const bool lineage = random_.below(3) == 0;
    config.job = small_job(
        {"rounds.num_server_rounds=2", "rounds.attempts_per_round=100",
         std::string("secure_aggregation.model_lineage=") + (lineage ? "true" : "false")});
    config.links = {.loss = pick(0.02),
                    .duplicate = pick(0.3),
                    .min_delay = Duration(1),
                    .max_delay = Duration(static_cast<Duration::rep>(1 + random_.below(500))),
                    .bytes_per_second = draw_bandwidth(seed),
                    .break_on_delivery = pick(0.01)};
    config.kills_per_event = pick(0.003);
    config.kills_per_operation = pick(0.01);
    for (std::uint64_t faults = random_.below(config.members); faults > 0; --faults)
      config.faults.push_back(
          {.member = MemberId{static_cast<std::uint32_t>(1 + random_.below(config.members))},
           .round = random_.below(3),
           .moment = kMoments[random_.below(std::size(kMoments))],
           .kind = random_.below(2) == 0 ? Fault::Kind::kSilent : Fault::Kind::kCrash});
  }

  FederationConfig config;

 private:
  /// Narrow links for a quarter of the seeds; 0: no limit.
  static std::uint64_t draw_bandwidth(std::uint64_t seed) {
    crypto::StreamRandom random(derive_seed(seed, "bandwidth", 0));
    return random.below(4) == 0 ? 5000 + random.below(50000) : 0;
  }

  /// Off for half of the seeds, else uniform up to `most`.
  double pick(double most) { return random_.below(2) == 0 ? 0.0 : most * random_.unit(); }

  crypto::StreamRandom random_;
};

struct Seeds : ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Seeds, OnlyExactSumsAreReleasedAndEveryRunEnds) {
  const SeedRange all = seeds_to_run(kSeeds);
  std::uint64_t runs = 0, complete = 0, kills = 0, sums = 0, lost = 0;
  for (std::uint64_t seed = all.first + GetParam(); seed < all.last; seed += kShards) {
    Federation federation(History(seed).config);
    federation.run();
    ++runs;
    complete += federation.exit_code() == 0 ? 1U : 0U;
    kills += federation.simulation().kills();
    sums += federation.checker().sums();
    lost += federation.rounds().size() - federation.done_rounds();
    if (!federation.failures().empty()) ADD_FAILURE() << federation.report();
    if (all.last == all.first + 1) std::cout << federation.report() << '\n';
  }
  std::cout << runs << " runs, " << complete << " complete, " << kills << " kills, " << sums
            << " sums, " << lost << " attempts without a sum\n";
  if (runs < 20) return;
  EXPECT_GT(10 * complete, 9 * runs) << "most histories are so bad that they show nothing";
  EXPECT_GT(kills, runs / 2);
  EXPECT_GT(lost, 0U) << "no history was bad enough to fail an attempt";
}

INSTANTIATE_TEST_SUITE_P(Shards, Seeds, ::testing::Range<std::uint64_t>(0, kShards));

}  // namespace
}  // namespace sotto::simulation

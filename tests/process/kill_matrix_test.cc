// kill -9 from outside, at random times, with real processes: the coordinator several times and one
// member. No round is lost, none is released twice, and no ledger misses a charge. Every single
// persistence operation is a kill point in tests/federation. One seed in the ordinary tests; by
// hand SOTTO_SEEDS=0-49.
#include <thread>

#include <gtest/gtest.h>

#include "common/simulation/seeds.h"
#include "tests/federation/seed_range.h"
#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

constexpr int kMembers = 4;
constexpr int kRounds = 3;

/// What a seed decides.
struct Plan {
  explicit Plan(std::uint64_t seed) : seed_(seed) {
    victim = 1 + static_cast<int>(draw("victim", kMembers));
    victim_lives = draw("victim lives", 6000);
    for (std::uint64_t i = 0; i < 1 + draw("kills", 4); ++i)
      coordinator_lives.push_back(500 + draw("moment " + std::to_string(i), 2500));
  }

  int victim = 0;
  std::uint64_t victim_lives = 0;                // milliseconds
  std::vector<std::uint64_t> coordinator_lives;  // of one process after the other

 private:
  [[nodiscard]] std::uint64_t draw(const std::string& what, std::uint64_t below) const {
    return simulation::derive_seed(seed_, what, 0) % below;
  }

  std::uint64_t seed_;
};

/// To the end of the run; how often the coordinator was killed. `victim` is killed in time.
int run_to_the_end(Federation& f, const Plan& plan, std::vector<Child>& members) {
  const std::vector<std::string> overrides{"rounds.num_server_rounds=" + std::to_string(kRounds),
                                           "rounds.phase_timeout_s=8"};
  std::jthread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(plan.victim_lives));
    members[static_cast<std::size_t>(plan.victim - 1)].kill9();
  });
  int kills = 0;
  for (const std::uint64_t lives : plan.coordinator_lives) {
    Child coordinator = f.start_coordinator(overrides);
    std::this_thread::sleep_for(std::chrono::milliseconds(lives));
    if (!coordinator.running()) break;
    coordinator.kill9();
    ++kills;
  }
  killer.join();
  members[static_cast<std::size_t>(plan.victim - 1)] = f.start_member(plan.victim);
  Child coordinator = f.start_coordinator(overrides);
  EXPECT_EQ(coordinator.wait(seconds(180)), 0) << f.coordinator_log();
  return kills;
}

void expect_nothing_lost(const Federation& f, const Plan& plan) {
  EXPECT_EQ(f.rounds().size(), kRounds + 1U) << "a round was released twice, or tried again";
  EXPECT_EQ(f.done_rounds().size(), kRounds + 1U);
  for (const auto& record : f.rounds()) {
    EXPECT_EQ(record["status"], "done") << record;
    EXPECT_GE(record["survivors"], kMembers - 1) << record;
  }
  for (int m = 1; m <= kMembers; ++m) {
    const int entries = f.ledger(m)["entries"];
    if (m != plan.victim) {
      EXPECT_EQ(entries, kRounds + 1) << f.member_log(m);
    } else {  // the others do not wait for it; what was charged before it died stays charged
      EXPECT_LE(entries, kRounds + 2) << f.member_log(m);
    }
  }
}

TEST(KillMatrix, RealProcessesLoseNoRoundAndNoCharge) {
  const simulation::SeedRange seeds = simulation::seeds_to_run(1);
  int kills = 0;
  for (std::uint64_t seed = seeds.first; seed < seeds.last; ++seed) {
    SCOPED_TRACE("SOTTO_SEED=" + std::to_string(seed));
    const Plan plan(seed);
    Federation f(kMembers);
    std::vector<Child> members;
    for (int m = 1; m <= kMembers; ++m)
      members.push_back(f.start_member(m));
    kills += run_to_the_end(f, plan, members);
    for (Child& member : members)  // one that came back after the end waits for a coordinator
      member.kill9();
    expect_nothing_lost(f, plan);
    if (HasFailure()) FAIL() << f.coordinator_log();
  }
  RecordProperty("coordinator_kills", kills);
  EXPECT_GE(kills, 1);
}

}  // namespace
}  // namespace sotto::process_test

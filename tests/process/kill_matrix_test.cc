// kill -9 at random, with real processes: the coordinator at moments at which it makes something
// durable, a member before one of its messages. No round is lost, none is released twice, and no
// ledger misses a charge. One seed in the ordinary tests; by hand SOTTO_SEEDS=0-49.
#include <gtest/gtest.h>

#include "common/simulation/seeds.h"
#include "tests/process/federation.h"
#include "tests/simulation/seed_range.h"

namespace sotto::process_test {
namespace {

constexpr int kMembers = 4;
constexpr int kRounds = 3;
constexpr const char* kMessages[] = {"Advertise",    "Shares",  "ShareCheck",
                                     "UploadHeader", "Endorse", "UnmaskResponse"};

/// What a seed decides.
struct Plan {
  explicit Plan(std::uint64_t seed) : seed_(seed) {
    victim = 1 + static_cast<int>(draw("victim", kMembers));
    drill_round = 1 + static_cast<int>(draw("round", kRounds));
    drill = std::string(kMessages[draw("message", std::size(kMessages))]) + "@" +
            std::to_string(drill_round);
    for (std::uint64_t i = 0; i < 1 + draw("kills", 4); ++i)
      coordinator_drills.push_back(1 + draw("moment " + std::to_string(i), 25));
  }

  int victim = 0;
  int drill_round = 0;
  std::string drill;
  std::vector<std::uint64_t> coordinator_drills;  // of one process after the other

 private:
  [[nodiscard]] std::uint64_t draw(const std::string& what, std::uint64_t below) const {
    return simulation::derive_seed(seed_, what, 0) % below;
  }

  std::uint64_t seed_;
};

/// To the end of the run; how often the coordinator died.
int run_to_the_end(Federation& f, const Plan& plan, std::vector<Child>& members) {
  const std::vector<std::string> overrides{"rounds.num_server_rounds=" + std::to_string(kRounds),
                                           "rounds.phase_timeout_s=8"};
  int kills = 0;
  for (;; ++kills) {
    std::vector<std::string> options;
    if (static_cast<std::size_t>(kills) < plan.coordinator_drills.size())
      options = {"--drill",
                 std::to_string(plan.coordinator_drills[static_cast<std::size_t>(kills)])};
    Child coordinator = f.start_coordinator(overrides, options);
    std::optional<int> end;
    for (int waited = 0; waited < 180 && !end; ++waited) {
      end = coordinator.wait(seconds(1));
      Child& victim = members[static_cast<std::size_t>(plan.victim - 1)];
      if (!victim.running()) victim = f.start_member(plan.victim);
    }
    EXPECT_TRUE(end.has_value()) << "the run hangs";
    if (end != 128 + 9) {
      EXPECT_EQ(end, 0) << f.coordinator_log();
      return kills;
    }
  }
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
      EXPECT_GE(entries, plan.drill_round - 1) << f.member_log(m);
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
      members.push_back(f.start_member(m, m == plan.victim ? plan.drill : ""));
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

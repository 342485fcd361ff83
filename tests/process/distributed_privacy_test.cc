// Noise inside the sum, asked for by a job, on real processes: what is reported, what is refused,
// and what kills and restarts leave in the accounts.
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "common/privacy/accounting/rdp_accountant.h"
#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

using nlohmann::json;

constexpr seconds kRun{180};
constexpr double kDelta = 1e-5;

/// The quickstart's job with noise; `others` may change it again.
std::vector<std::string> noisy(const std::vector<std::string>& others = {}) {
  std::vector<std::string> all = {
      "distributed_privacy.enabled=true", "distributed_privacy.noise_multiplier=2",
      "distributed_privacy.target_delta=1e-5", "secure_aggregation.expected_dropout_percent=25"};
  all.insert(all.end(), others.begin(), others.end());
  return all;
}

privacy::NoisyRounds noise_of(const json& round) {
  const json& noise = round.at("noise");
  return {.mechanism = noise.at("mechanism") == "skellam"
                           ? privacy::NoiseMechanism::kSkellam
                           : privacy::NoiseMechanism::kDiscreteGaussian,
          .variance = static_cast<std::uint64_t>(
              std::llround(noise.at("variance").get<double>() * privacy::kVarianceUnit)),
          .unknown_noises = noise.at("unknown_noises"),
          .squared_sensitivity = noise.at("squared_sensitivity"),
          .dimension = noise.at("dimension"),
          .rounds = 1};
}

double epsilon_of(privacy::NoisyRounds round, std::uint64_t rounds) {
  round.rounds = rounds;
  privacy::RdpAccountant accountant;
  EXPECT_TRUE(accountant.add(round).ok());
  return accountant.epsilon(kDelta);
}

json read_json(const std::filesystem::path& file) {
  std::ifstream in(file);
  return json::parse(in, nullptr, false);
}

std::vector<Child> start_members(Federation& f, int from, int to) {
  std::vector<Child> out;
  for (int m = from; m <= to; ++m)
    out.push_back(f.start_member(m));
  return out;
}

json report_of(Federation& f) {
  const auto ledger = f.folder() / "ledger-1.json";
  std::ofstream(ledger) << f.ledger(1).dump();
  EXPECT_EQ(run({Federation::coordinator_binary(), "report", f.run_folder(), "--ledger", ledger},
                f.folder() / "report.log"),
            0);
  return read_json(f.run_folder() / "summary.json");
}

class EitherMechanism : public testing::TestWithParam<const char*> {};

TEST_P(EitherMechanism, EveryReportSaysWhatTheAccountantSaysAndKeepsTheStatementsApart) {
  const std::string mechanism = GetParam();
  Federation f(4);
  auto members = start_members(f, 1, 4);
  Child coordinator = f.start_coordinator(noisy(
      {"rounds.min_available_participants=4", "rounds.num_server_rounds=2",
       "distributed_privacy.noise_multiplier=0.25", "distributed_privacy.mechanism=" + mechanism}));
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  for (auto& m : members)
    EXPECT_EQ(m.wait(seconds(20)), 0);
  auto rounds = f.done_rounds();
  ASSERT_EQ(rounds.size(), 3U);
  const privacy::NoisyRounds noise = noise_of(rounds[1]);
  EXPECT_EQ(noise.unknown_noises, 2U) << "three of four survive at least, one may collude";
  EXPECT_NEAR(static_cast<double>(noise.variance) / privacy::kVarianceUnit * 2,
              0.0625 * static_cast<double>(noise.squared_sensitivity), 1);
  for (const int r : {1, 2}) {
    EXPECT_EQ(noise_of(rounds[r]), noise);
    EXPECT_NEAR(rounds[r]["participant_epsilon"], epsilon_of(noise, static_cast<std::uint64_t>(r)),
                1e-9)
        << mechanism;
  }
  EXPECT_FALSE(rounds[3].contains("noise")) << "a closing evaluation sends no update";
  const double all = epsilon_of(noise, 2);
  EXPECT_NEAR(rounds[3]["participant_epsilon"], all, 1e-9);
  for (int m = 1; m <= 4; ++m) {
    EXPECT_NEAR(f.ledger(m)["participant_epsilon"], all, 1e-9) << f.member_log(m);
    EXPECT_NE(f.ledger(m)["epsilon"], f.ledger(m)["participant_epsilon"]);
  }
  EXPECT_NEAR(read_json(f.run_folder() / "status.json")["participant_epsilon"], all, 1e-9);
  const json report = report_of(f);
  EXPECT_NEAR(report["participant_epsilon"], all, 1e-9);
  EXPECT_EQ(report["participant_delta"], kDelta);
  EXPECT_NEAR(report["participant_epsilons"]["site-1"]["epsilon"], all, 1e-9);
  EXPECT_EQ(report["ledger_epsilons"]["site-1"]["epsilon"], f.ledger(1)["epsilon"]);
  EXPECT_NE(report["participant_privacy_statement"].get<std::string>().find("at most 1 other"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(DistributedPrivacy, EitherMechanism,
                         testing::Values("discrete_gaussian", "skellam"),
                         [](const auto& mechanism) { return std::string(mechanism.param); });

TEST(DistributedPrivacy, ARunWithoutItSaysNothingOfIt) {
  Federation f(3);
  auto members = start_members(f, 1, 3);
  Child coordinator = f.start_coordinator({"rounds.num_server_rounds=1"});
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  EXPECT_FALSE(f.done_rounds()[1].contains("participant_epsilon"));
  for (auto& m : members)
    EXPECT_EQ(m.wait(seconds(20)), 0);
  EXPECT_TRUE(f.ledger(1)["participant_epsilon"].is_null()) << "what it sent has no bound";
  EXPECT_TRUE(report_of(f)["participant_epsilon"].is_null());
}

TEST(DistributedPrivacy, ASiteThatRequiresMoreNoiseRefusesAndSaysWhy) {
  Federation f(3);
  f.set_policy(2, "min_participant_noise_multiplier", 3);
  auto members = start_members(f, 1, 3);
  Child coordinator = f.start_coordinator(noisy());
  EXPECT_EQ(coordinator.wait(seconds(60)), 3);
  const std::string why =
      "the noise inside the job's sums has the noise multiplier 2; this site requires at least 3";
  EXPECT_NE(f.coordinator_log().find("site-2 declines the job: " + why), std::string::npos)
      << f.coordinator_log();
  EXPECT_NE(f.member_log(2).find(why), std::string::npos) << f.member_log(2);
  EXPECT_EQ(f.ledger(2)["entries"], 0);
}

TEST(DistributedPrivacy, ASiteWithABudgetForWhatItSendsRefusesAJobWithoutNoise) {
  Federation f(3);
  f.set_policy(3, "max_participant_epsilon", 8);
  auto members = start_members(f, 1, 3);
  Child coordinator = f.start_coordinator();
  EXPECT_EQ(coordinator.wait(seconds(60)), 3);
  EXPECT_NE(f.coordinator_log().find("site-3 declines the job: the job has no distributed_privacy"),
            std::string::npos)
      << f.coordinator_log();
}

TEST(DistributedPrivacy, AModelThatTheTargetCannotBeReachedForStopsTheCoordinatorAtOnce) {
  Federation f(3);
  Child coordinator = f.start_coordinator(noisy({"distributed_privacy.noise_multiplier=1e-9"}));
  EXPECT_EQ(coordinator.wait(seconds(20)), 2);
  EXPECT_NE(f.coordinator_log().find("distributed_privacy: "), std::string::npos)
      << f.coordinator_log();
}

// Three of four are enough without noise (tests/federation, Dropouts); here a sum needs four.
TEST(DistributedPrivacy, TooFewSurvivorsReleaseNothingAndNoRestartCountsTooLittle) {
  Federation f(4);
  auto members = start_members(f, 1, 3);
  Child fourth = f.start_member(4);
  Child coordinator = f.start_coordinator(noisy(
      {"secure_aggregation.expected_dropout_percent=10", "rounds.min_available_participants=4",
       "rounds.training_timeout_s=6", "rounds.attempts_per_round=20"}));
  kill_at(f, fourth, 4, "round 2: joined");
  fourth = f.start_member(4);
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  EXPECT_EQ(fourth.wait(seconds(20)), 0);
  auto rounds = f.done_rounds();
  const privacy::NoisyRounds noise = noise_of(rounds[1]);
  EXPECT_EQ(noise.unknown_noises, 3U);
  int lost = 0;
  for (const json& r : f.rounds()) {
    if (r["status"] == "done") continue;
    ++lost;
    EXPECT_EQ(r["server_round"], 2);
    EXPECT_FALSE(r.contains("evaluation")) << r;
  }
  EXPECT_GE(lost, 1) << f.coordinator_log();
  for (auto& [round, record] : rounds)
    EXPECT_EQ(record["survivors"], 4) << record;
  // Killed before or after its charge for the lost attempt; the simulation kills at exact points.
  const double spent = f.ledger(4)["participant_epsilon"];
  EXPECT_GE(spent, epsilon_of(noise, 4) - 1e-9) << f.member_log(4);
  EXPECT_LE(spent, epsilon_of(noise, 5) + 1e-9) << f.member_log(4);
  const double reported = rounds[5]["participant_epsilon"];
  for (int m = 1; m <= 4; ++m)
    EXPECT_LE(f.ledger(m)["participant_epsilon"].get<double>(), reported + 1e-9) << m;
}

TEST(DistributedPrivacy, AKilledCoordinatorNeverReportsLessThanALedgerSays) {
  Federation f(3);
  auto members = start_members(f, 1, 3);
  {
    Child coordinator = f.start_coordinator(noisy());
    ASSERT_TRUE(f.wait_for_rounds(2, kRun)) << f.coordinator_log();
    coordinator.kill9();
  }
  Child coordinator = f.start_coordinator(noisy());
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  for (auto& m : members)
    EXPECT_EQ(m.wait(seconds(20)), 0);
  auto rounds = f.done_rounds();
  ASSERT_EQ(rounds.size(), 5U);
  const double reported = rounds[5]["participant_epsilon"];
  EXPECT_GE(reported, epsilon_of(noise_of(rounds[1]), 4) - 1e-9);
  for (int m = 1; m <= 3; ++m)
    EXPECT_LE(f.ledger(m)["participant_epsilon"].get<double>(), reported + 1e-9) << m;
}

}  // namespace
}  // namespace sotto::process_test

// The claims about a whole federation, on real processes over CURVE on loopback.
#include "tests/process/federation.h"

#include <fstream>

#include <gtest/gtest.h>

namespace sotto::process_test {
namespace {

constexpr seconds kRun{120};
constexpr int kRoundsAndEvaluation = 5;

std::vector<Child> start_members(Federation& f, int from, int to) {
  std::vector<Child> out;
  for (int m = from; m <= to; ++m)
    out.push_back(f.start_member(m));
  return out;
}

TEST(Federation, FinishesAJobAndEveryLedgerIsChargedOncePerRound) {
  Federation f(3);
  auto members = start_members(f, 1, 3);
  Child coordinator = f.start_coordinator();
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  EXPECT_EQ(f.done_rounds().size(), kRoundsAndEvaluation);
  for (auto& [round, record] : f.done_rounds())
    EXPECT_EQ(record["survivors"], 3) << record;
  for (const char* file : {"model.safetensors", "config.json", "vocab.txt"}) {
    EXPECT_TRUE(std::filesystem::exists(f.run_folder() / "model" / file)) << file;
  }
  for (auto& m : members)
    EXPECT_EQ(m.wait(seconds(20)), 0);
  for (int m = 1; m <= 3; ++m)
    EXPECT_EQ(f.ledger(m)["entries"], kRoundsAndEvaluation) << f.member_log(m);
}

TEST(Federation, AMemberThatIsKilledInARoundIsADropoutOfTheSameAttempt) {
  Federation f(4);
  auto members = start_members(f, 1, 3);
  Child victim = f.start_member(4);
  Child coordinator = f.start_coordinator();
  kill_at(f, victim, 4, "round 2: joined");
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  auto rounds = f.done_rounds();
  ASSERT_EQ(rounds.size(), kRoundsAndEvaluation);
  EXPECT_EQ(rounds[1]["survivors"], 4);
  EXPECT_EQ(rounds[2]["attempt"], 0) << "the same attempt goes on: " << f.coordinator_log();
  EXPECT_EQ(rounds[3]["survivors"], 3);
}

// kill -9 in training and there again at once: without a word from it the round would wait for five
// minutes, because its Hello comes as before.
TEST(Federation, AMemberThatDiesAndComesBackIsNotWaitedFor) {
  Federation f(4);
  auto members = start_members(f, 1, 3);
  Child fourth = f.start_member(4);
  Child coordinator =
      f.start_coordinator({"rounds.training_timeout_s=300", "local_training.local_steps=40"});
  kill_at(f, fourth, 4, "round 2: joined");
  fourth = f.start_member(4);
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  const auto rounds = f.done_rounds();
  EXPECT_EQ(rounds.at(2)["attempt"], 0);
  EXPECT_EQ(rounds.at(2)["survivors"], 3);
  EXPECT_LT(rounds.at(2)["phase_s"]["Upload"].get<double>(), 60) << f.coordinator_log();
  EXPECT_NE(f.coordinator_log().find("site-4: it left the round: this site was restarted"),
            std::string::npos)
      << f.coordinator_log();
}

TEST(Federation, TooManyKilledLosesTheRoundAndReleasesNothingAndTheNextAttemptWorks) {
  Federation f(4);
  auto members = start_members(f, 1, 2);
  Child third = f.start_member(3);
  Child fourth = f.start_member(4);
  Child coordinator =
      f.start_coordinator({"rounds.training_timeout_s=6", "rounds.attempts_per_round=20",
                           "local_training.local_steps=40"});
  kill_at(f, third, 3, "round 2: joined");
  kill_at(f, fourth, 4, "round 2: joined");
  third = f.start_member(3);
  fourth = f.start_member(4);
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  bool lost = false;
  for (const auto& r : f.rounds()) {
    if (r["status"] == "done") continue;
    lost = true;
    EXPECT_EQ(r["server_round"], 2);
    EXPECT_FALSE(r.contains("evaluation")) << "a lost round shows no sum: " << r;
  }
  EXPECT_TRUE(lost) << f.coordinator_log();
  EXPECT_EQ(f.done_rounds().size(), kRoundsAndEvaluation);
}

TEST(Federation, AKilledCoordinatorResumesAfterTheLastFinishedRound) {
  Federation f(3);
  auto members = start_members(f, 1, 3);
  {
    Child coordinator = f.start_coordinator();
    ASSERT_TRUE(f.wait_for_rounds(2, kRun)) << f.coordinator_log();
    coordinator.kill9();
  }
  const std::size_t before = f.done_rounds().size();
  Child coordinator = f.start_coordinator();
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  EXPECT_NE(f.coordinator_log().find("resuming"), std::string::npos);
  EXPECT_EQ(f.done_rounds().size(), kRoundsAndEvaluation);
  EXPECT_GE(before, 2U);
  std::map<int, int> times;
  for (const auto& r : f.rounds())
    times[r["server_round"].get<int>()] += r["status"] == "done" ? 1 : 0;
  for (const auto& [round, count] : times)
    EXPECT_EQ(count, 1) << "round " << round << " was released twice";
}

TEST(Federation, ATargetThatIsReachedEndsTrainingAndTheFinalModelIsEvaluated) {
  Federation f(3);
  auto members = start_members(f, 1, 3);
  Child coordinator = f.start_coordinator({"stopping.metric=loss", "stopping.target=1000"},
                                          {"--keep", "2"});  // any loss is as good
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  const auto rounds = f.done_rounds();
  ASSERT_EQ(rounds.size(), 2U) << f.coordinator_log();
  EXPECT_EQ(rounds.at(1)["evaluated_round"], 0);
  EXPECT_EQ(rounds.at(5)["closing_evaluation"], true);
  EXPECT_EQ(rounds.at(5)["evaluated_round"], 1) << "the model that one round trained";
  EXPECT_NE(f.coordinator_log().find("training ends after round 1: loss is"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(f.run_folder() / "checkpoints/best/model.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(f.run_folder() / "checkpoints/round-000001"));
  for (auto& m : members)
    EXPECT_EQ(m.wait(seconds(20)), 0);
  EXPECT_EQ(f.ledger(1)["entries"], 2) << "one round of training and the evaluation";
  std::ifstream status(f.run_folder() / "status.json");
  const auto said = nlohmann::json::parse(status);
  EXPECT_EQ(said["state"], "finished");
  EXPECT_NE(said["detail"].get<std::string>().find("the target was 1000"), std::string::npos);
}

TEST(Federation, AMemberWhoseBudgetIsSpentEndsTheRunWhereTheJobSaysSo) {
  Federation f(4);
  auto members = start_members(f, 1, 3);
  Child fourth = f.start_member(4);
  Child coordinator =
      f.start_coordinator({"stopping.when_budget_spent=true", "rounds.num_server_rounds=200"});
  ASSERT_TRUE(f.wait_for_rounds(2, kRun)) << f.coordinator_log();
  fourth.kill9();
  f.set_policy(4, "max_epsilon_per_job", 0.001);  // the job is more than it can pay for now
  fourth = f.start_member(4);
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  EXPECT_NE(f.coordinator_log().find("site-4 withdraws from the job"), std::string::npos);
  const auto rounds = f.done_rounds();
  EXPECT_LT(rounds.size(), 100U);
  EXPECT_EQ(rounds.rbegin()->first, 201) << "the closing evaluation, by those who are left";
  EXPECT_EQ(rounds.rbegin()->second["survivors"], 3);
}

TEST(Federation, ARunGoesOnUnderANewRosterWithoutAMemberThatWasRemoved) {
  Federation f(4);
  auto members = start_members(f, 1, 4);
  {
    Child coordinator = f.start_coordinator({"rounds.num_server_rounds=8"});
    ASSERT_TRUE(f.wait_for_rounds(2, kRun)) << f.coordinator_log();
    coordinator.kill9();
  }
  for (std::size_t m = 0; m < 3; ++m)
    members[m].kill9();
  f.remove_from_roster(4, {1, 2, 3});
  auto left = start_members(f, 1, 3);  // the fourth still runs, under the roster that named it
  Child coordinator = f.start_coordinator({"rounds.num_server_rounds=8"});
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
  const auto rounds = f.done_rounds();
  EXPECT_EQ(rounds.size(), 9U);
  EXPECT_EQ(rounds.at(1)["survivors"], 4);
  EXPECT_EQ(rounds.at(8)["survivors"], 3);
}

TEST(Federation, AnUnknownKeyIsNeverAdmitted) {
  Federation f(3);
  Federation elsewhere(1);
  // The stranger has a copy of the federation's file and even the member's pin, but a key of its
  // own.
  std::filesystem::copy_file(f.folder() / "coordinator" / "federation.json",
                             elsewhere.site(1) / "federation.json",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_NE(run({Federation::participant_binary(), "join", "--dir", elsewhere.site(1), "--replace",
                 elsewhere.site(1) / "federation.json"},
                elsewhere.folder() / "join.log"),
            0)
      << "joining a roster that does not name us must fail";
  std::filesystem::copy_file(f.site(1) / "pinned.json", elsewhere.site(1) / "pinned.json",
                             std::filesystem::copy_options::overwrite_existing);
  Child unauthenticated = elsewhere.start_member(1);
  auto members = start_members(f, 2, 3);
  Child coordinator = f.start_coordinator();
  EXPECT_EQ(coordinator.wait(seconds(8)), std::nullopt)
      << "a run began with a stranger as the third member";
  EXPECT_TRUE(f.rounds().empty());
  auto last = start_members(f, 1, 1);
  ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
}

TEST(Federation, AJobBeyondASitesPolicyIsRefusedWithTheReasonOnBothSides) {
  Federation f(3);
  f.set_policy(2, "max_epsilon_per_job", 0.5);
  auto members = start_members(f, 1, 3);
  Child coordinator = f.start_coordinator();
  EXPECT_EQ(coordinator.wait(seconds(60)), 3);
  EXPECT_NE(f.coordinator_log().find("site-2 declines the job"), std::string::npos)
      << f.coordinator_log();
  EXPECT_NE(f.coordinator_log().find("epsilon"), std::string::npos) << f.coordinator_log();
  EXPECT_NE(f.member_log(2).find("declined the job"), std::string::npos) << f.member_log(2);
  EXPECT_TRUE(f.done_rounds().empty());
  EXPECT_EQ(f.ledger(2)["entries"], 0);
}

TEST(Federation, ASpentBudgetRefusesTheNextRunOfTheSameSite) {
  Federation f(3);
  {
    auto members = start_members(f, 1, 3);
    Child coordinator = f.start_coordinator();
    ASSERT_EQ(coordinator.wait(kRun), 0) << f.coordinator_log();
    for (auto& m : members)
      EXPECT_EQ(m.wait(seconds(20)), 0);
  }
  const double spent = f.ledger(1)["epsilon"];
  ASSERT_GT(spent, 0);
  f.set_policy(1, "max_epsilon_per_job", spent * 1.01);
  f.set_policy(1, "max_epsilon", spent * 1.01);
  std::filesystem::rename(f.run_folder(), f.folder() / "first-run");
  auto members = start_members(f, 1, 3);
  Child coordinator = f.start_coordinator();
  EXPECT_EQ(coordinator.wait(seconds(60)), 3) << f.coordinator_log();
  EXPECT_NE(f.coordinator_log().find("site-1 declines the job"), std::string::npos)
      << f.coordinator_log();
  EXPECT_EQ(f.ledger(1)["epsilon"], spent);
}

}  // namespace
}  // namespace sotto::process_test

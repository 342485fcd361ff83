// Model lineage with real trainers: what members make from the sums is the coordinator's model, and
// one whose process died makes all of it again.
#include <gtest/gtest.h>

#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

/// The name of a server optimizer that keeps state between rounds.
class LineageProcess : public testing::TestWithParam<const char*> {};

TEST_P(LineageProcess, AMemberThatWasKilledAndACoordinatorThatWasKilledGoOn) {
  const std::vector<std::string> overrides = {
      "secure_aggregation.model_lineage=true",
      "server_optimizer.type=\"" + std::string(GetParam()) + "\"",
      "server_optimizer.learning_rate=0.01"};
  Federation f(4);
  std::vector<Child> members;
  for (int m = 1; m <= 3; ++m)
    members.push_back(f.start_member(m));
  Child victim = f.start_member(4);
  Child coordinator = f.start_coordinator(overrides);
  kill_at(f, victim, 4, "round 2: joined");
  victim = f.start_member(4);
  ASSERT_TRUE(f.wait_for_rounds(3, seconds(90))) << f.coordinator_log();
  coordinator.kill9();
  coordinator = f.start_coordinator(overrides);
  ASSERT_EQ(coordinator.wait(seconds(120)), 0) << f.coordinator_log();
  const auto rounds = f.done_rounds();
  ASSERT_EQ(rounds.size(), 5U) << f.coordinator_log();
  EXPECT_EQ(rounds.at(5)["survivors"], 4) << f.member_log(4);
  for (int round = 1; round <= 4; ++round)
    EXPECT_TRUE(std::filesystem::exists(f.run_folder() / "sums" /
                                        ("00000" + std::to_string(round) + ".sum")));
  for (int m = 1; m <= 4; ++m)
    EXPECT_EQ(f.member_log(m).find("does not follow"), std::string::npos) << f.member_log(m);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, LineageProcess, testing::Values("fedadam", "fedyogi"),
                         [](const auto& optimizer) { return std::string(optimizer.param); });

}  // namespace
}  // namespace sotto::process_test

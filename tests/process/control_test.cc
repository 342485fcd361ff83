// What an operator does to a run from a shell, on real processes: pause, restart, resume, stop,
// look.
#include <cstdio>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "tests/process/federation.h"

namespace sotto::process_test {
namespace {

using nlohmann::json;

constexpr seconds kRun{120};
const std::vector<std::string> kManyRounds = {"rounds.num_server_rounds=400"};

class Control : public testing::Test {
 protected:
  Control() {
    for (int m = 1; m <= 3; ++m)
      members_.push_back(f_.start_member(m));
  }

  /// Standard output of a command about this run; its exit status beside it.
  std::pair<std::string, int> ask(const std::string& command, const std::string& more = "") {
    const std::string line = Federation::coordinator_binary() + " " + command + " " +
                             f_.run_folder().string() + " " + more + " 2>>" +
                             (f_.folder() / "ask.log").string();
    FILE* out = popen(line.c_str(), "r");
    std::string text;
    char piece[4096];
    for (std::size_t n = 0; (n = fread(piece, 1, sizeof(piece), out)) > 0;)
      text.append(piece, n);
    const int status = pclose(out);
    return {text, WEXITSTATUS(status)};
  }

  json status() { return json::parse(ask("status", "--json").first, nullptr, false); }

  bool wait_for_state(const std::string& state) {
    for (int i = 0; i < 300; ++i) {
      if (status().value("state", "") == state) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }

  std::string said() {
    std::ifstream in(f_.folder() / "ask.log");
    return {std::istreambuf_iterator<char>(in), {}};
  }

  Federation f_{3};
  std::vector<Child> members_;
};

TEST_F(Control, APauseOutlivesAKilledCoordinatorAndEndsWithResume) {
  Child coordinator = f_.start_coordinator(kManyRounds);
  ASSERT_TRUE(f_.wait_for_rounds(1, kRun)) << f_.coordinator_log();
  const auto [answer, code] = ask("pause", "--json");
  ASSERT_EQ(code, 0) << said();
  const json asked = json::parse(answer);
  EXPECT_TRUE(asked["state"] == "paused" || asked["asked"] == "pause") << asked;
  ASSERT_TRUE(wait_for_state("paused")) << status();
  const std::size_t done = f_.done_rounds().size();
  std::this_thread::sleep_for(seconds(3));
  EXPECT_EQ(f_.done_rounds().size(), done) << "a round began in the pause";
  EXPECT_EQ(status()["alerts"][0]["code"], "paused");

  coordinator.kill9();
  EXPECT_EQ(status()["live"], false);
  coordinator = f_.start_coordinator(kManyRounds);
  ASSERT_TRUE(wait_for_state("paused")) << f_.coordinator_log();
  std::this_thread::sleep_for(seconds(4));
  EXPECT_EQ(f_.done_rounds().size(), done) << "the restart forgot the pause";
  EXPECT_EQ(ask("resume").second, 0);
  EXPECT_TRUE(f_.wait_for_rounds(done + 2, kRun)) << f_.coordinator_log();
}

TEST_F(Control, StopFinishesTheRoundUnderWayAndTheSameCommandGoesOn) {
  Child coordinator = f_.start_coordinator(kManyRounds);
  ASSERT_TRUE(f_.wait_for_rounds(1, kRun)) << f_.coordinator_log();
  ASSERT_EQ(ask("stop").second, 0) << said();
  EXPECT_EQ(coordinator.wait(seconds(60)), 130) << f_.coordinator_log();
  for (const json& r : f_.rounds())
    EXPECT_EQ(r["status"], "done") << "the round under way was thrown away: " << r;
  const std::size_t done = f_.done_rounds().size();
  const json left = status();
  EXPECT_EQ(left["state"], "stopped");
  EXPECT_EQ(left["live"], false);
  EXPECT_NE(said().find("no coordinator is running"), std::string::npos) << said();
  EXPECT_FALSE(std::filesystem::exists(f_.run_folder() / "control.sock"));
  for (const char* command : {"pause", "resume", "stop", "logs"})
    EXPECT_EQ(ask(command).second, 2) << command;

  std::vector<Child> again;
  for (int m = 1; m <= 3; ++m)
    again.push_back(f_.start_member(m));
  coordinator = f_.start_coordinator(kManyRounds);
  EXPECT_TRUE(f_.wait_for_rounds(done + 1, kRun)) << f_.coordinator_log();
  EXPECT_EQ(ask("stop", "--now").second, 0);
  EXPECT_EQ(coordinator.wait(seconds(20)), 130);
}

TEST_F(Control, TheLogTheEventFilesAndTheMetricsTellTheSameRounds) {
  Child coordinator = f_.start_coordinator({"rounds.num_server_rounds=3"});
  ASSERT_TRUE(f_.wait_for_rounds(1, kRun)) << f_.coordinator_log();
  const std::string log = ask("logs").first;
  EXPECT_NE(log.find("site-1 accepts the job"), std::string::npos) << log;
  EXPECT_NE(log.find("round 1: done, 3 of 3"), std::string::npos) << log;
  ASSERT_EQ(coordinator.wait(kRun), 0) << f_.coordinator_log();
  const std::string file = (f_.folder() / "events.json").string();
  ASSERT_EQ(
      std::system(("python3 " SOTTO_SOURCE_DIR "/tests/coordinator/dashboard/read_events.py " +
                   (f_.run_folder() / "tensorboard").string() + " >" + file)
                      .c_str()),
      0);
  std::map<int, double> loss;
  for (const json& e : json::parse(std::ifstream(file)))
    if (e.contains("scalars") && e["scalars"].contains("evaluation/loss"))
      loss[e["step"]] = e["scalars"]["evaluation/loss"];
  std::size_t evaluated = 0;
  for (const auto& [round, record] : f_.done_rounds()) {
    if (!record.contains("evaluation")) continue;
    ++evaluated;
    EXPECT_NEAR(loss[record["evaluated_round"]], record["evaluation"]["loss"].get<double>(), 1e-6);
  }
  EXPECT_EQ(loss.size(), evaluated);
  EXPECT_GT(evaluated, 0U);
}

}  // namespace
}  // namespace sotto::process_test

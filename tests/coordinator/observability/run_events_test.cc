// Events reach every sink in order; the words of typed states are those of earlier versions; the
// status file follows the state at once and everything else at its pace.
#include "coordinator/observability/run_events.h"

#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/base/result.h"
#include "coordinator/observability/status_file.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

using nlohmann::json;

/// Writes its name and the text of each line into a list that several sinks share.
class NamedSink final : public RunEventSink {
 public:
  NamedSink(std::string name, std::vector<std::string>& calls)
      : name_(std::move(name)), calls_(calls) {}

  void on_event(const RunEvent& event, std::uint64_t unix_s) override {
    if (fails) throw StartupError("cannot be written");
    calls_.push_back(name_ + " " + describe(event).text + " " + std::to_string(unix_s));
  }

  bool fails = false;

 private:
  std::string name_;
  std::vector<std::string>& calls_;
};

TEST(RunEvents, EverySinkGetsEveryEventInTheOrderOfTheList) {
  std::vector<std::string> calls;
  NamedSink first("first", calls), second("second", calls);
  std::uint64_t clock = 7;
  RunEvents events([&clock] { return clock; });
  events.add(first);
  events.add(second);
  events.emit(LogLine{Severity::kInfo, "one"});
  clock = 8;
  events.emit(LogLine{Severity::kWarning, "two"});
  EXPECT_EQ(calls, (std::vector<std::string>{"first one 7", "second one 7", "first two 8",
                                             "second two 8"}));
}

TEST(RunEvents, WhatASinkCannotWriteNoLaterSinkShows) {
  std::vector<std::string> calls;
  NamedSink audit("audit", calls), display("display", calls);
  audit.fails = true;
  RunEvents events([] { return std::uint64_t{7}; });
  events.add(audit);
  events.add(display);
  EXPECT_THROW(events.emit(LogLine{Severity::kInfo, "one"}), StartupError);
  EXPECT_TRUE(calls.empty());
}

TEST(RunEvents, AnAnswerAndALostRoundAreSentencesForPeople) {
  EXPECT_EQ(describe(MemberAnswered{MemberId{1}, "aurora", MemberAnswer::kAccepted, ""}).text,
            "aurora accepts the job");
  EXPECT_EQ(describe(MemberAnswered{MemberId{1}, "aurora", MemberAnswer::kWithdrew, "budget"}).text,
            "aurora withdraws from the job: budget");
  const LogLine lost = describe(RoundEnded{
      {.server_round = 3, .attempt = 1, .status = wire::RoundStatus::kLost, .reason = "too few"}});
  EXPECT_EQ(lost.text, "round 3 (attempt 2) has no sum: too few");
  EXPECT_EQ(lost.severity, Severity::kWarning);
  EXPECT_EQ(describe(PhaseEntered{RoundNumber::of(1, 0), Phase::kShare}).text, "");
}

/// What version 0.1.0 wrote for each state.
TEST(RunStates, HaveTheWordsThatReadersOfTheFilesKnow) {
  const std::map<RunState, std::string> states{
      {RunState::kGathering, "gathering"}, {RunState::kRunning, "running"},
      {RunState::kPaused, "paused"},       {RunState::kFinished, "finished"},
      {RunState::kFailed, "failed"},       {RunState::kStopped, "stopped"}};
  const std::set<RunState> over{RunState::kFinished, RunState::kFailed, RunState::kStopped};
  for (const auto& [state, word] : states) {
    EXPECT_EQ(json::parse(to_json(RunStatus{.state = state}))["state"], word);
    EXPECT_EQ(is_final(state), over.contains(state)) << word;
  }
  const std::map<PendingRequest, std::string> requests{{PendingRequest::kNone, ""},
                                                       {PendingRequest::kPause, "pause"},
                                                       {PendingRequest::kStop, "stop"}};
  for (const auto& [request, word] : requests)
    EXPECT_EQ(json::parse(to_json(RunStatus{.asked = request}))["asked"], word);
  const std::map<Phase, std::string> phases{
      {Phase::kAdvertise, "Advertise"}, {Phase::kShare, "Share"},   {Phase::kCheck, "Check"},
      {Phase::kSettle, "Settle"},       {Phase::kUpload, "Upload"}, {Phase::kEndorse, "Endorse"},
      {Phase::kUnmask, "Unmask"},       {Phase::kAbort, "Burn"},    {Phase::kClosed, "Closed"}};
  for (const auto& [phase, word] : phases)
    EXPECT_EQ(json::parse(to_json(RunStatus{.phase = phase}))["phase"], word);
  EXPECT_EQ(json::parse(to_json(RunStatus{}))["phase"], "") << "between two rounds";
}

TEST(RunStates, ALineOfMetricsSaysDoneOrWhyNot) {
  EXPECT_EQ(json::parse(to_json(RoundRecord{}))["status"], "done");
  EXPECT_EQ(json::parse(to_json(RoundRecord{.status = wire::RoundStatus::kAborted,
                                            .reason = "two members voted"}))["status"],
            "two members voted");
}

struct StatusFileTest : ::testing::Test {
  TemporaryDirectory folder;
  StatusFile file{folder.path()};

  [[nodiscard]] json written() const {
    std::ifstream in(folder.path() / "status.json");
    return json::parse(in);
  }
};

TEST_F(StatusFileTest, IsWrittenEverySecondOfARoundAndEveryFiveBetweenRounds) {
  file.on_status({.state = RunState::kRunning, .done = 1, .wall_s = 10}, 0);
  file.on_status({.state = RunState::kRunning, .done = 2, .wall_s = 10.5}, 0);
  EXPECT_EQ(written()["done"], 1);
  file.on_status({.state = RunState::kRunning, .done = 3, .wall_s = 11}, 0);
  EXPECT_EQ(written()["done"], 3);
  file.on_status({.state = RunState::kGathering, .wall_s = 12}, 0);
  file.on_status({.state = RunState::kGathering, .wall_s = 16}, 0);
  EXPECT_EQ(written()["wall_s"], 12.0);
  file.on_status({.state = RunState::kGathering, .wall_s = 17}, 0);
  EXPECT_EQ(written()["wall_s"], 17.0);
}

TEST_F(StatusFileTest, FollowsTheStateAndTheOperatorAtOnce) {
  file.on_status({.state = RunState::kRunning, .wall_s = 10}, 0);
  file.on_status({.state = RunState::kRunning, .asked = PendingRequest::kPause, .wall_s = 10.1}, 0);
  EXPECT_EQ(written()["asked"], "pause");
  file.on_status({.state = RunState::kStopped, .wall_s = 10.2}, 0);
  EXPECT_EQ(written()["state"], "stopped");
}

}  // namespace
}  // namespace sotto::coordinator

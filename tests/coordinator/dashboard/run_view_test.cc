// What is shown of a run, without sockets: JSON, the stream of events, alerts, Prometheus.
#include "coordinator/dashboard/run_view.h"

#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sotto::coordinator::dashboard {
namespace {

using nlohmann::json;

constexpr std::uint64_t kStart = 1700000000;

RunView new_view() {
  return RunView({.federation = "hospitals \"north\"",
                  .job = R"({"name":"intents"})",
                  .folder = "/runs/a",
                  .version = "1.2.3",
                  .started_unix_s = kStart});
}

RunStatus running() {
  RunStatus s{.state = RunState::kRunning,
              .server_round = 4,
              .num_server_rounds = 10,
              .phase = Phase::kUpload,
              .done = 1,
              .cohort = 3};
  s.members = {{.id = MemberId{1},
                .name = "a",
                .state = MemberState::kAccepted,
                .connected = true,
                .part = RoundPart::kUploaded},
               {.id = MemberId{2},
                .name = "b",
                .state = MemberState::kAccepted,
                .connected = true,
                .part = RoundPart::kTraining},
               {.id = MemberId{3},
                .name = "c",
                .state = MemberState::kAccepted,
                .connected = true,
                .part = RoundPart::kLate}};
  return s;
}

RoundRecord done_round(std::uint64_t number) {
  return {.server_round = number,
          .status = wire::RoundStatus::kDone,
          .cohort = 3,
          .survivors = 3,
          .phase_s = {{"Upload", 2.5}},
          .upload_bytes = 1000};
}

std::vector<std::string> codes(const RunView& view) {
  std::vector<std::string> out;
  for (const Alert& a : view.alerts())
    out.push_back(a.code);
  return out;
}

TEST(RunView, StatusHasTheRunsNamesAndItsTotals) {
  RunView view = new_view();
  view.on_status(running(), kStart + 5);
  view.on_event(RoundEnded{done_round(3)}, kStart + 6);
  RoundRecord lost = done_round(4);
  lost.status = wire::RoundStatus::kLost;
  lost.reason = "too few";
  lost.upload_bytes = 0;
  view.on_event(RoundEnded{lost}, kStart + 7);
  const json s = json::parse(view.status_json());
  EXPECT_EQ(s["federation"], "hospitals \"north\"");
  EXPECT_EQ(s["job"], "intents");
  EXPECT_EQ(s["state"], "running");
  EXPECT_EQ(s["phase"], "Upload");
  EXPECT_EQ(s["attempts_done"], 1);
  EXPECT_EQ(s["attempts_lost"], 1);
  EXPECT_EQ(s["uploaded_bytes"], 1000);
  EXPECT_EQ(s["state_since_unix_s"], kStart + 5);
  EXPECT_EQ(s["members"][1]["part"], "training");
  EXPECT_EQ(json::parse(view.members_json())["members"].size(), 3U);
}

TEST(RunView, RoundsComeInPagesAndGoOnFromEarlierProcesses) {
  RunView view = new_view();
  std::string file;
  for (std::uint64_t r = 1; r <= 620; ++r)
    file += to_json(done_round(r)) + "\n";
  view.restore(file + "{\"torn");
  view.on_event(RoundEnded{done_round(621)}, kStart);
  std::vector<int> seen;
  std::uint64_t from = 0;
  for (bool more = true; more;) {
    const json page = json::parse(view.rounds_json(from));
    for (const json& r : page["rounds"])
      seen.push_back(r["server_round"]);
    EXPECT_LE(page["rounds"].size(), 500U);
    from = page["next"];
    more = page["more"];
  }
  ASSERT_EQ(seen.size(), 621U);
  EXPECT_EQ(seen.front(), 1);
  EXPECT_EQ(seen.back(), 621);
  EXPECT_EQ(json::parse(view.rounds_json(99999999))["rounds"].size(), 0U);
}

TEST(RunView, KeepsABoundedNumberOfRoundsAndEventsAndTheirNumbers) {
  RunView view = new_view();
  for (std::uint64_t r = 1; r <= 20005; ++r)
    view.on_event(RoundEnded{done_round(r)}, kStart);
  const json first = json::parse(view.rounds_json(0));
  EXPECT_EQ(first["rounds"][0]["server_round"], 6) << "the oldest five are gone";
  EXPECT_EQ(first["next"], 505) << "counted from the first there ever was";
  EXPECT_EQ(json::parse(view.events_json(0))["events"].size(), 1000U);
  EXPECT_EQ(json::parse(view.status_json())["attempts_done"], 20005);
}

TEST(RunView, AStreamTellsEachEventOnceInOrderAndTheNewestStatus) {
  RunView view = new_view();
  view.on_event(LogLine{Severity::kInfo, "first"}, kStart);
  view.on_status(running(), kStart);
  StreamPart part = view.stream({});
  EXPECT_NE(part.text.find("event: note\ndata: {\"text\":\"first\""), std::string::npos)
      << part.text;
  EXPECT_NE(part.text.find("event: status\n"), std::string::npos);
  const Cursor here = part.cursor;
  EXPECT_TRUE(view.stream(here).text.empty());
  view.on_event(LogLine{Severity::kInfo, "second"}, kStart);
  view.on_status(running(), kStart);
  view.on_status(running(), kStart);
  part = view.stream(here);
  EXPECT_EQ(part.text.find("first"), std::string::npos);
  EXPECT_NE(part.text.find("second"), std::string::npos);
  EXPECT_EQ(part.text.find("event: status"), part.text.rfind("event: status")) << "one, the newest";
}

TEST(RunView, NoWordsOfAMemberCanEndAnEvent) {
  RunView view = new_view();
  view.on_event(LogLine{Severity::kInfo, "a\n\nevent: status\ndata: {}\n\n\xff"}, kStart);
  const std::string text = view.stream({}).text;
  EXPECT_EQ(text.find("\n\n"), text.size() - 2) << text;
  EXPECT_EQ(text.find("\nevent: status"), std::string::npos);
}

TEST(RunView, EventsOfALaterProcessHaveHigherNumbers) {
  RunView before = new_view();
  for (int i = 0; i < 900; ++i)
    before.on_event(LogLine{Severity::kInfo, "x"}, kStart);
  RunView after({.job = "{}", .started_unix_s = kStart + 1});
  after.on_event(LogLine{Severity::kInfo, "back"}, kStart + 1);
  EXPECT_GT(json::parse(after.events_json(0))["events"][0]["id"],
            json::parse(before.events_json(0))["events"].back()["id"]);
}

TEST(RunView, AlertsHoldExactlyWhileTheirReasonDoes) {
  RunView view = new_view();
  RunStatus s = running();
  view.on_status(s, kStart);
  EXPECT_TRUE(codes(view).empty());

  s.asked = PendingRequest::kPause;
  view.on_status(s, kStart);
  EXPECT_EQ(codes(view), std::vector<std::string>{"paused"});
  s.asked = PendingRequest::kNone;
  s.lost_attempts = 2;
  view.on_status(s, kStart);
  EXPECT_EQ(codes(view), std::vector<std::string>{"round_lost"});
  s.lost_attempts = 0;
  s.members[1].connected = false;
  s.members[2].state = MemberState::kRefused;
  view.on_status(s, kStart);
  EXPECT_EQ(codes(view), (std::vector<std::string>{"members_disconnected", "members_refused"}));
  s.members[1].connected = true;
  for (const MemberState state : {MemberState::kOffender, MemberState::kSuspended}) {
    s.members[2].state = state;
    s.members[2].reason = "Advertise: two";
    view.on_status(s, kStart);
    ASSERT_EQ(codes(view), std::vector<std::string>{"members_left_out"});
    EXPECT_NE(view.alerts()[0].text.find(std::string(name(state)) + ": Advertise: two"),
              std::string::npos);
  }
  s = running();
  s.members[1].state = MemberState::kAbsent;
  s.members[1].reason = "uses version 1 of the roster";
  s.roster_warning = "the roster (version 2) expires on 2027-01-15";
  view.on_status(s, kStart);
  EXPECT_EQ(codes(view), (std::vector<std::string>{"members_other_roster", "roster_expires"}));
  s = running();
  s.state = RunState::kGathering;
  view.on_status(s, kStart);
  view.on_status(s, kStart + 59);
  EXPECT_TRUE(codes(view).empty());
  view.on_status(s, kStart + 60);
  EXPECT_EQ(codes(view), std::vector<std::string>{"waiting_for_members"});
  s.state = RunState::kFailed;
  s.members[1].connected = false;
  view.on_status(s, kStart + 61);
  EXPECT_EQ(codes(view), std::vector<std::string>{"run_failed"}) << "the members have gone home";
}

TEST(RunView, PrometheusHasHelpAndTypeAndEscapedLabels) {
  RunView view = new_view();
  RunStatus s = running();
  s.evaluation =
      tasks::Evaluation{.units = 10,
                        .figures = {{{.name = "accuracy", .help = "Held-out accuracy."}, 0.5},
                                    {{.name = "loss", .help = "Mean held-out loss."}, 1.25}}};
  s.epsilon = 2.5;
  s.participant_epsilon = std::numeric_limits<double>::infinity();
  view.on_status(s, kStart);
  view.on_event(RoundEnded{done_round(3)}, kStart);
  const std::string text = view.prometheus();
  for (const char* line :
       {"# HELP sotto_run_state ", "# TYPE sotto_run_state gauge\n",
        "# TYPE sotto_round_attempts_total counter\n",
        "sotto_run_info{federation=\"hospitals \\\"north\\\"\",job=\"intents\",version=\"1.2.3\"} "
        "1\n",
        "sotto_run_state{state=\"running\"} 1\n", "sotto_run_state{state=\"failed\"} 0\n",
        "sotto_round 4\n", "sotto_round_attempts_total{outcome=\"done\"} 1\n",
        "sotto_phase_seconds_total{phase=\"Upload\"} 2.5\n", "sotto_uploaded_bytes_total 1000\n",
        "sotto_round_members{part=\"late\"} 1\n", "sotto_members_connected 3\n",
        "# HELP sotto_evaluation_accuracy Held-out accuracy.\n", "sotto_evaluation_accuracy 0.5\n",
        "sotto_evaluation_loss 1.25\n", "sotto_epsilon 2.5\n", "sotto_participant_epsilon +Inf\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

}  // namespace
}  // namespace sotto::coordinator::dashboard

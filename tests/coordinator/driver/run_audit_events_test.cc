// The production coordinator's signed audit log: every fact is in it, whatever a display shows of
// it.
#include "common/observability/audit_check.h"
#include "common/storage/atomic_file.h"
#include "coordinator/observability/audit.h"
#include "tests/coordinator/driver/coordinator_fixture.h"
#include "tests/coordinator/driver/federation_in_memory.h"

namespace sotto::coordinator {
namespace {

class RunAuditEvents : public CoordinatorTest {
 protected:
  RunAuditEvents() { events.add(audit); }

  [[nodiscard]] std::vector<run::AuditEntry> entries() const {
    return run::audit_entries(journal::read_file(folder / run::kAuditFile, 1 << 20).value());
  }

  [[nodiscard]] std::vector<std::string> kinds() const {
    std::vector<std::string> out;
    for (const auto& entry : entries())
      out.push_back(entry.event.kind);
    return out;
  }

  RunAudit audit{folder.path(), signing, job};
};

TEST_F(RunAuditEvents, AnAcceptanceAndAWithdrawalWithinOneDisplayIntervalBothStandInTheLog) {
  pass(Duration(250));  // a sample was shown just now
  const auto yes = answer(kMember, wire::JobAnswer::kAccept);
  hear(kMember, yes);
  hear(kMember, answer(kMember, wire::JobAnswer::kPostpone, "at night"));
  hear(kMember, yes);
  hear(kMember, answer(kMember, wire::JobAnswer::kDecline, "a person here stopped it"));
  EXPECT_EQ(kinds(), (std::vector<std::string>{"job_accepted", "job_postponed", "job_accepted",
                                               "job_refused", "run_ended"}))
      << "too few members are left";
  EXPECT_EQ(entries()[1].field("reason"), "at night");
  EXPECT_EQ(entries()[3].field("reason"), "a person here stopped it");
  EXPECT_EQ(entries()[3].field("member"), "site-1");
}

TEST_F(CoordinatorTest, WhatTheOperatorAsksForIsAnEventAtOnceAndTheEndIsTheLastOne) {
  seen.events.clear();
  ASSERT_TRUE(app->pause().ok());
  ASSERT_TRUE(app->resume().ok());
  app->finish_and_stop();
  app->on_stop_requested();  // too late: it has ended
  std::vector<OperatorAsked::What> asked;
  for (const auto& e : seen.all<OperatorAsked>())
    asked.push_back(e.what);
  using What = OperatorAsked::What;
  EXPECT_EQ(asked, (std::vector<What>{What::kPause, What::kResume, What::kStopAfterRound}));
  ASSERT_TRUE(std::holds_alternative<RunEnded>(seen.events.back()));
  EXPECT_EQ(std::get<RunEnded>(seen.events.back()).state, RunState::kStopped);
  EXPECT_EQ(status.state, RunState::kStopped);
}

TEST(RunEventsOfARun, EachAttemptBeginsGoesThroughItsPhasesAndEnds) {
  config::JobConfig job =
      config::load_job(std::filesystem::path(SOTTO_SOURCE_DIR) / "configs/quickstart/job.json");
  job.rounds = {.num_server_rounds = 2, .min_available_participants = 3};
  job.differential_privacy.enabled = false;
  job.secure_aggregation.max_colluders = 1;
  FederationInMemory federation(3, job);
  ASSERT_TRUE(federation.run());
  std::string order;
  for (const RunEvent& event : federation.seen().events) {
    if (std::holds_alternative<RunStarted>(event)) order += "run ";
    if (std::holds_alternative<RoundBegan>(event)) order += "round ";
    if (const auto* phase = std::get_if<PhaseEntered>(&event))
      order += std::string(name(phase->phase)) + " ";
    if (const auto* ended = std::get_if<RoundEnded>(&event))
      order += is_done(ended->record) ? "done " : "lost ";
    if (std::holds_alternative<RunEnded>(event)) order += "end";
  }
  const std::string round = "round Advertise Share Check Upload Endorse Unmask Closed done ";
  EXPECT_EQ(order, "run " + round + round + round + "end") << "the third one evaluates";
}

}  // namespace
}  // namespace sotto::coordinator

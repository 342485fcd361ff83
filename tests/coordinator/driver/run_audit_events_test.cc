// The production coordinator's signed audit log: every fact is in it, whatever a display shows of
// it.
#include "common/observability/audit_check.h"
#include "common/storage/atomic_file.h"
#include "coordinator/observability/audit.h"
#include "tests/coordinator/driver/coordinator_fixture.h"

namespace sotto::coordinator {
namespace {

class RunAuditEvents : public CoordinatorTest {
 protected:
  RunAuditEvents() { events.add(audit); }

  [[nodiscard]] std::vector<observability::AuditEntry> entries() const {
    return observability::audit_entries(
        storage::read_file(folder / observability::kAuditFile, 1 << 20).value());
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

}  // namespace
}  // namespace sotto::coordinator

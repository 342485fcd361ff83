// The entries that a coordinator's audit log makes of the events of a run
// (coordinator/observability/audit.h).
#include <gtest/gtest.h>

#include "common/job/privacy_statement.h"
#include "common/observability/audit_check.h"
#include "common/storage/atomic_file.h"
#include "coordinator/observability/audit.h"
#include "tests/common/config/samples.h"
#include "tests/temporary_directory.h"

namespace sotto::coordinator {
namespace {

TEST(RunAudit, AnAcceptanceIsWrittenDownWithThePrivacyStatementOfTheJob) {
  const TemporaryDirectory folder;
  crypto::StreamRandom random(7);
  const auto signing = crypto::SigningKey::generate(random);
  const auto job =
      std::get<config::JobConfig>(config::parse_job(config::samples::kJob, "job.json"));
  RunAudit audit(folder.path(), signing, job);
  audit.on_event(RunStarted{.job = job.name}, 1000);
  audit.on_event(MemberAnswered{MemberId{1}, "aurora", MemberAnswer::kAccepted, ""}, 1001);

  const auto log = storage::read_file(folder / observability::kAuditFile, 1 << 20).value();
  const auto entries = observability::audit_entries(log);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].event.kind, "job_accepted");
  EXPECT_EQ(entries[1].field("member"), "aurora");
  const auto expected = job::statement_audit_fields(job);
  ASSERT_FALSE(expected.empty());
  for (const auto& [key, value] : expected)
    EXPECT_EQ(entries[1].field(key), value) << key;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

/// The entries that the events leave in a new log.
std::vector<observability::AuditEntry> entries_of(const std::vector<RunEvent>& events) {
  const TemporaryDirectory folder;
  crypto::StreamRandom random(7);
  const auto signing = crypto::SigningKey::generate(random);
  RunAudit audit(folder.path(), signing,
                 std::get<config::JobConfig>(config::parse_job(config::samples::kJob, "job.json")));
  for (const RunEvent& event : events)
    audit.on_event(event, 1000);
  return observability::audit_entries(
      storage::read_file(folder / observability::kAuditFile, 1 << 20).value());
}

TEST(RunAudit, EvidenceIsWrittenDownByItsEventAndNotByTheWordsOfALine) {
  const auto entries =
      entries_of({LogLine{Severity::kWarning, "evidence against member 2, says a peer"},
                  EvidenceKept{.proves = false, .finding = "a contradiction is not evidence"},
                  EvidenceKept{.proves = true, .finding = "evidence against member 3, a rule"}});
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].event.kind, "evidence");
  EXPECT_EQ(entries[0].field("finding"), "evidence against member 3, a rule");
}

TEST(RunAudit, TheEndsOfRoundsAndOfTheRunHaveTheFieldsThatReadersOfOldLogsKnow) {
  const RoundRecord done{.server_round = 2, .attempt = 1, .cohort = 5, .survivors = 4};
  RoundRecord lost = done;
  lost.status = wire::RoundStatus::kLost;
  lost.reason = "too few survivors";
  const auto entries =
      entries_of({RunStarted{.resumed = true, .job = "j", .roster_version = 3}, RoundEnded{done},
                  RoundEnded{lost}, RunEnded{RunState::kStopped, "stopped by the operator", 2}});
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].event.kind, "run_resumed");
  EXPECT_EQ(entries[0].field("roster_version"), "3");
  EXPECT_EQ(entries[1].event.kind, "sum_released");
  EXPECT_EQ(entries[1].event.fields,
            (Fields{{"server_round", "2"}, {"attempt", "1"}, {"cohort", "5"}, {"survivors", "4"}}));
  EXPECT_EQ(entries[2].event.kind, "round_lost");
  EXPECT_EQ(entries[2].field("reason"), "too few survivors");
  EXPECT_EQ(entries[3].event.kind, "run_ended");
  EXPECT_EQ(
      entries[3].event.fields,
      (Fields{{"how", "stopped"}, {"reason", "stopped by the operator"}, {"server_round", "2"}}));
}

}  // namespace
}  // namespace sotto::coordinator

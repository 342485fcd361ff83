// What a coordinator writes into its audit log when a member accepts a job
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
  RunAudit audit(folder.path(), signing);
  audit.started(job, {}, false, 1000);
  RunStatus status;
  status.members = {{.id = MemberId{1}, .name = "aurora", .state = MemberState::kAccepted},
                    {.id = MemberId{2}, .name = "borealis", .state = MemberState::kOffered}};
  audit.status(status, 1001);

  const auto log = journal::read_file(folder / run::kAuditFile, 1 << 20).value();
  const auto entries = run::audit_entries(log);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].event.kind, "job_accepted");
  EXPECT_EQ(entries[1].field("member"), "aurora");
  const auto expected = run::statement_audit_fields(job);
  ASSERT_FALSE(expected.empty());
  for (const auto& [key, value] : expected)
    EXPECT_EQ(entries[1].field(key), value) << key;
}

}  // namespace
}  // namespace sotto::coordinator

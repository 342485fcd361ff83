// What the coordinator's commands put into its audit log.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/identity/identity.h"
#include "common/observability/audit_log.h"
#include "coordinator/observability/run_report.h"

namespace sotto::coordinator {

/// One entry in FOLDER/audit.jsonl, signed by `identity`. Throws StartupError: what cannot be
/// written down does not happen.
void write_audit(const std::filesystem::path& folder, const config::Identity& identity,
                 const run::AuditEvent& event, std::uint64_t unix_seconds);
/// After an enrolment: the roster and each member's fingerprint.
void audit_roster(const std::filesystem::path& folder, const config::Identity& identity,
                  const config::Roster& roster, std::uint64_t unix_seconds);

/// A run's entries, from what its coordinator shows. Throws StartupError when one cannot be
/// written.
class RunAudit {
 public:
  /// `signing` outlives it.
  RunAudit(const std::filesystem::path& folder, const crypto::SigningKey& signing);

  /// Before status(): an acceptance is written down with this job's privacy statement.
  void started(const config::JobConfig& job, const config::Roster& roster, bool resumed,
               std::uint64_t unix_seconds);
  /// Answers to the job that are new, and the end of the run.
  void status(const RunStatus& status, std::uint64_t unix_seconds);
  void round(const RoundRecord& record, std::uint64_t unix_seconds);
  /// A line of the log: evidence is kept here too.
  void note(const std::string& line, std::uint64_t unix_seconds);

 private:
  void append(const run::AuditEvent& event, std::uint64_t unix_seconds);

  run::AuditLog log_;
  std::vector<std::pair<std::string, std::string>> statement_;  // of privacy, for an acceptance
  std::map<MemberId, MemberStatus> answers_;
  bool ended_ = false;
};

}  // namespace sotto::coordinator

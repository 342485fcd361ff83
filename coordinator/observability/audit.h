// What the coordinator's commands put into its audit log.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/config/federation.h"
#include "common/config/job.h"
#include "common/identity/identity.h"
#include "common/observability/audit_log.h"
#include "coordinator/observability/run_events.h"

namespace sotto::coordinator {

/// One entry in FOLDER/audit.jsonl, signed by `identity`. Throws StartupError: what cannot be
/// written down does not happen.
void write_audit(const std::filesystem::path& folder, const config::Identity& identity,
                 const run::AuditEvent& event, std::uint64_t unix_seconds);
/// After an enrolment: the roster and each member's fingerprint.
void audit_roster(const std::filesystem::path& folder, const config::Identity& identity,
                  const config::Roster& roster, std::uint64_t unix_seconds);

/// Sink: the run's entries in the signed log. An entry is durable before anything that follows from
/// its event is sent. on_event() throws StartupError when an entry cannot be written.
class RunAudit final : public RunEventSink {
 public:
  /// `signing` outlives it. An acceptance is written down with the privacy statement of `job`.
  /// Throws StartupError when the log cannot be opened.
  RunAudit(const std::filesystem::path& folder, const crypto::SigningKey& signing,
           const config::JobConfig& job);

  void on_event(const RunEvent& event, std::uint64_t unix_s) override;

 private:
  /// The entry of an event; nothing for one that the log does not keep.
  [[nodiscard]] std::optional<run::AuditEvent> entry_of(const RunEvent& event) const;
  [[nodiscard]] run::AuditEvent answer(const MemberAnswered& event) const;

  run::AuditLog log_;
  std::vector<std::pair<std::string, std::string>> statement_;  // of privacy, for an acceptance
};

}  // namespace sotto::coordinator

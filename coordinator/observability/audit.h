// The coordinator's entries in its audit log.
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

/// Appends an entry, signed by `identity`, to FOLDER/audit.jsonl. Throws StartupError when it
/// cannot be written, so that what cannot be recorded does not happen.
void write_audit(const std::filesystem::path& folder, const config::Identity& identity,
                 const observability::AuditEvent& event, std::uint64_t unix_seconds);
/// Records the roster and each member's fingerprint after the roster was signed.
void audit_roster(const std::filesystem::path& folder, const config::Identity& identity,
                  const config::Roster& roster, std::uint64_t unix_seconds);

/// RunAudit is a sink that writes the run's entries in the signed log. An entry is durable before
/// anything that follows from its event is sent. on_event() throws StartupError when an entry
/// cannot be written.
class RunAudit final : public RunEventSink {
 public:
  /// `signing` outlives it. The entry of an acceptance contains the privacy statement of `job`.
  /// Throws StartupError when the log cannot be opened.
  RunAudit(const std::filesystem::path& folder, const crypto::SigningKey& signing,
           const config::JobConfig& job);

  void on_event(const RunEvent& event, std::uint64_t unix_s) override;

 private:
  /// Returns the entry of an event; nothing for an event that the log does not record.
  [[nodiscard]] std::optional<observability::AuditEvent> entry_of(const RunEvent& event) const;
  [[nodiscard]] observability::AuditEvent answer(const MemberAnswered& event) const;

  observability::AuditLog log_;
  /// The privacy statement, for the entry of an acceptance.
  std::vector<std::pair<std::string, std::string>> statement_;
};

}  // namespace sotto::coordinator

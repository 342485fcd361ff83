#include "coordinator/observability/audit.h"

#include <utility>
#include <vector>

#include "common/job/privacy_statement.h"
#include "common/observability/evidence_folder.h"

namespace sotto::coordinator {

namespace {

run::AuditLog open_log(const std::filesystem::path& folder, const crypto::SigningKey& signing) {
  auto log = run::AuditLog::open(folder / run::kAuditFile, signing);
  if (!log.ok()) throw StartupError(log.error().message);
  return std::move(log).value();
}

void append_to(run::AuditLog& log, const run::AuditEvent& event, std::uint64_t unix_seconds) {
  if (Status s = log.append(event, unix_seconds); !s.ok())
    throw StartupError("the audit log cannot be written: " + s.error().message);
}

}  // namespace

void write_audit(const std::filesystem::path& folder, const config::Identity& identity,
                 const run::AuditEvent& event, std::uint64_t unix_seconds) {
  run::AuditLog log = open_log(folder, identity.signing);
  append_to(log, event, unix_seconds);
}

void audit_roster(const std::filesystem::path& folder, const config::Identity& identity,
                  const config::Roster& roster, std::uint64_t unix_seconds) {
  run::AuditEvent event{
      "roster_signed",
      {{"version", std::to_string(roster.version)}, {"hash", to_hex(roster.hash())}}};
  for (const config::RosterMember& m : roster.members)
    event.fields.emplace_back("member " + std::to_string(raw(m.id)),
                              m.name + " " + config::fingerprint(m.signing_key));
  write_audit(folder, identity, event, unix_seconds);
}

RunAudit::RunAudit(const std::filesystem::path& folder, const crypto::SigningKey& signing)
    : log_(open_log(folder, signing)) {}

void RunAudit::append(const run::AuditEvent& event, std::uint64_t unix_seconds) {
  append_to(log_, event, unix_seconds);
}

void RunAudit::started(const config::JobConfig& job, const config::Roster& roster, bool resumed,
                       std::uint64_t unix_seconds) {
  statement_ = run::statement_audit_fields(job);
  append({resumed ? "run_resumed" : "run_started",
          {{"job", job.name},
           {"job_hash", to_hex(job.hash)},
           {"roster_version", std::to_string(roster.version)},
           {"roster_hash", to_hex(roster.hash())}}},
         unix_seconds);
}

void RunAudit::status(const RunStatus& status, std::uint64_t unix_seconds) {
  for (const MemberStatus& m : status.members) {
    const MemberStatus& known = answers_[m.id];
    if (m.state == known.state && m.reason == known.reason) continue;
    if (m.state == MemberState::kAccepted) {
      run::AuditEvent accepted{"job_accepted", {{"member", m.name}}};
      accepted.fields.insert(accepted.fields.end(), statement_.begin(), statement_.end());
      append(accepted, unix_seconds);
    }
    if (m.state == MemberState::kOffered && !m.reason.empty())
      append({"job_postponed", {{"member", m.name}, {"reason", m.reason}}}, unix_seconds);
    if (m.state == MemberState::kRefused)
      append({"job_refused", {{"member", m.name}, {"reason", m.reason}}}, unix_seconds);
    answers_[m.id] = m;
  }
  const bool over =
      status.state == "finished" || status.state == "failed" || status.state == "stopped";
  if (over && !std::exchange(ended_, true))
    append({"run_ended",
            {{"how", status.state},
             {"reason", status.detail},
             {"server_round", std::to_string(status.server_round)}}},
           unix_seconds);
}

void RunAudit::round(const RoundRecord& r, std::uint64_t unix_seconds) {
  const bool done = r.status == "done";
  run::AuditEvent event{done ? "sum_released" : "round_lost",
                        {{"server_round", std::to_string(r.server_round)},
                         {"attempt", std::to_string(r.attempt)},
                         {"cohort", std::to_string(r.cohort)},
                         {"survivors", std::to_string(r.survivors)}}};
  if (!done) event.fields.emplace_back("reason", r.status);
  append(event, unix_seconds);
}

void RunAudit::note(const std::string& line, std::uint64_t unix_seconds) {
  if (line.starts_with(run::kEvidenceLine)) append({"evidence", {{"finding", line}}}, unix_seconds);
}

}  // namespace sotto::coordinator

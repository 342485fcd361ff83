#include "coordinator/observability/audit.h"

#include <utility>
#include <variant>

#include "common/base/overloaded.h"
#include "common/job/privacy_statement.h"

namespace sotto::coordinator {

namespace {

constexpr const char* kNotWritten = "the audit log cannot be written: ";

observability::AuditLog open_log(const std::filesystem::path& folder,
                                 const crypto::SigningKey& signing) {
  return observability::AuditLog::open(folder / observability::kAuditFile, signing).or_stop();
}

using Entry = std::optional<observability::AuditEvent>;

observability::AuditEvent started(const RunStarted& e) {
  return {e.resumed ? "run_resumed" : "run_started",
          {{"job", e.job},
           {"job_hash", to_hex(e.job_hash)},
           {"roster_version", std::to_string(e.roster_version)},
           {"roster_hash", to_hex(e.roster_hash)}}};
}

observability::AuditEvent round(const RoundRecord& r) {
  observability::AuditEvent event{is_done(r) ? "sum_released" : "round_lost",
                                  {{"server_round", std::to_string(r.server_round)},
                                   {"attempt", std::to_string(r.attempt)},
                                   {"cohort", std::to_string(r.cohort)},
                                   {"survivors", std::to_string(r.survivors)}}};
  if (!is_done(r)) event.fields.emplace_back("reason", r.reason);
  return event;
}

}  // namespace

void write_audit(const std::filesystem::path& folder, const config::Identity& identity,
                 const observability::AuditEvent& event, std::uint64_t unix_seconds) {
  observability::AuditLog log = open_log(folder, identity.signing);
  log.append(event, unix_seconds).or_stop(kNotWritten);
}

void audit_roster(const std::filesystem::path& folder, const config::Identity& identity,
                  const config::Roster& roster, std::uint64_t unix_seconds) {
  observability::AuditEvent event{
      "roster_signed",
      {{"version", std::to_string(roster.version)}, {"hash", to_hex(roster.hash())}}};
  for (const config::RosterMember& m : roster.members)
    event.fields.emplace_back("member " + std::to_string(raw(m.id)),
                              m.name + " " + config::fingerprint(m.signing_key));
  write_audit(folder, identity, event, unix_seconds);
}

RunAudit::RunAudit(const std::filesystem::path& folder, const crypto::SigningKey& signing,
                   const config::JobConfig& job)
    : log_(open_log(folder, signing)), statement_(job::statement_audit_fields(job)) {}

void RunAudit::on_event(const RunEvent& event, std::uint64_t unix_s) {
  if (const auto entry = entry_of(event)) log_.append(*entry, unix_s).or_stop(kNotWritten);
}

observability::AuditEvent RunAudit::answer(const MemberAnswered& e) const {
  switch (e.answer) {
    case MemberAnswer::kAccepted: {
      observability::AuditEvent accepted{"job_accepted", {{"member", e.name}}};
      accepted.fields.insert(accepted.fields.end(), statement_.begin(), statement_.end());
      return accepted;
    }
    case MemberAnswer::kPostponed:
      return {"job_postponed", {{"member", e.name}, {"reason", e.reason}}};
    case MemberAnswer::kDeclined:
    case MemberAnswer::kWithdrew:
      return {"job_refused", {{"member", e.name}, {"reason", e.reason}}};
  }
  SOTTO_CHECK(false, "an answer has one of the kinds above");
}

std::optional<observability::AuditEvent> RunAudit::entry_of(const RunEvent& event) const {
  return std::visit(
      Overloaded{
          [](const RunStarted& e) -> Entry { return started(e); },
          [this](const MemberAnswered& e) -> Entry { return answer(e); },
          [](const EvidenceKept& e) -> Entry {
            if (!e.proves) return std::nullopt;
            return observability::AuditEvent{"evidence", {{"finding", e.finding}}};
          },
          [](const RoundEnded& e) -> Entry { return round(e.record); },
          [](const RunEnded& e) -> Entry {
            return observability::AuditEvent{"run_ended",
                                             {{"how", std::string(name(e.state))},
                                              {"reason", e.reason},
                                              {"server_round", std::to_string(e.finished_rounds)}}};
          },
          // Not recorded. They are listed so that the compiler reports a new kind of event.
          [](const MemberExcluded&) -> Entry { return std::nullopt; },
          [](const MemberReturned&) -> Entry { return std::nullopt; },
          [](const MembersLeftOut&) -> Entry { return std::nullopt; },
          [](const RoundBegan&) -> Entry { return std::nullopt; },
          [](const PhaseEntered&) -> Entry { return std::nullopt; },
          [](const OperatorAsked&) -> Entry { return std::nullopt; },
          [](const RosterExpires&) -> Entry { return std::nullopt; },
          [](const LogLine&) -> Entry { return std::nullopt; },
      },
      event);
}

}  // namespace sotto::coordinator

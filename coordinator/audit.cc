#include "coordinator/audit.h"

#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "common/run/audit_check.h"
#include "common/run/evidence_folder.h"

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
    if (m.state == MemberState::kAccepted)
      append({"job_accepted", {{"member", m.name}}}, unix_seconds);
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

void add_audit_command(CLI::App& app, int& exit_code) {
  struct Arguments {
    run::AuditParty party;
    std::string folder = ".", federation;
    std::vector<std::string> heads;
    bool json = false;
  };

  auto args = std::make_shared<Arguments>();
  CLI::App* sub = app.add_subcommand("audit", "The signed log of what this party did");
  sub->require_subcommand(1);
  CLI::App* verify = sub->add_subcommand(
      "verify",
      "Check every line of FOLDER/audit.jsonl and name what was changed, dropped, moved, "
      "repeated or cut; exit code 3 when anything was");
  verify
      ->add_option("folder", args->folder,
                   "Folder with audit.jsonl, or the log of older keys itself")
      ->capture_default_str();
  verify->add_option("--federation", args->federation,
                     "federation.json with the party's key, instead of the folder's keystore");
  verify->add_option("--member", args->party.member,
                     "Whose log it is, by name in --federation; the coordinator's unless given");
  verify
      ->add_option("--head", args->heads,
                   "A head of this log that another party kept, as this command prints it")
      ->allow_extra_args(false);
  verify->add_flag("--json", args->json, "One JSON object");
  verify->callback([args, &exit_code] {
    args->party.log = run::audit_file(args->folder);
    args->party.federation = args->federation;
    const std::string file = args->party.log.string();
    const auto report = run::check_audit_file(file, run::audit_key(args->party), args->heads);
    std::printf("%s\n",
                (args->json ? run::to_json(report, file) : run::describe(report, file)).c_str());
    if (!report.whole()) exit_code = 3;
  });
}

}  // namespace sotto::coordinator

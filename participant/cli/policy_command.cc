#include "participant/cli/policy_command.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/base/printable.h"
#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/cli/unlock.h"
#include "common/config/colluders.h"
#include "common/config/model_files.h"
#include "common/config/parse.h"
#include "common/job/plan.h"
#include "common/observability/audit_log.h"
#include "common/privacy/ledger/ledger.h"
#include "participant/admission/approvals.h"
#include "participant/admission/assessment.h"
#include "participant/admission/explanation.h"
#include "participant/admission/job_kind.h"
#include "participant/data/site_records.h"
#include "participant/driver/participant.h"
#include "participant/identity/enrolment.h"
#include "participant/identity/site_audit.h"
#include "participant/training/learning_library.h"

namespace sotto::participant {

namespace {

using cli::or_stop;
using cli::print;
using cli::stop_unless;
using cli::unix_now;

namespace fs = std::filesystem;
using nlohmann::json;

struct PolicyArguments {
  std::string dir = ".", job, site, by, reason;
  std::vector<std::string> overrides;
  std::uint32_t days = 0;
  cli::UnlockOptions unlock;
  bool job_only = false;
  bool json = false;
};

FederationFacts facts_of(const config::Roster& roster) {
  return {.participants = static_cast<std::uint32_t>(job::signers(roster).size()),
          .coordinator = roster.coordinator_signing_key};
}

void explain(const PolicyArguments& args, int& exit_code) {
  config::JobConfig job = config::load_job(args.job, args.overrides);
  config::SiteConfig site =
      config::load_site(args.site.empty() ? args.dir + "/site.json" : args.site);
  job.model.path = site.model_path.string();
  const auto ledger = or_stop(privacy::PrivacyLedger::read(args.dir + "/ledger.sqlite"));
  const bool joined = fs::exists(args.dir + "/pinned.json");
  std::optional<identity::Keystore> keys;
  if (joined || names_record_stores(site)) keys = cli::open_keystore(args.dir, args.unlock);
  SiteRecords records(args.dir, keys ? std::optional(records_key(*keys)) : std::nullopt);
  const ReadExamples read_examples = records.reader();
  const std::uint64_t now = unix_now();
  AdmissionContext site_context{.site = site,
                                .models = training::learning_library(),
                                .read_examples = read_examples,
                                .ledger = ledger,
                                .now = config::local_time(now)};
  std::optional<Bytes32> kind;
  // If the folder has joined no federation, the rules about it stay open.
  if (joined) {
    site_context.federation = facts_of(load_membership(args.dir, *keys, now).federation.roster);
    stop_unless(config::complete(job, site_context.federation->participants));
    stop_unless(config::complete(site.policy, site_context.federation->participants));
    const Bytes32& coordinator = site_context.federation->coordinator;
    kind = kind_of(job, coordinator);
    const auto approvals = or_stop(
        Approvals::read(args.dir + "/" + kApprovalsFile, approvals_key(*keys).verify_key()));
    site_context.consent = consent_to(job, coordinator, approvals, now);
  }
  const Assessment found = assess(job, site_context, Depth::kWhole);
  const ExplainedJob explained{.job = job, .site = site, .assessment = found, .kind = kind};
  print(or_stop(args.json ? to_json(explained) : describe(explained)));
  if (found.answer != Answer::kAccept) exit_code = 3;
}

/// Returns the approvals that the command line names: a kind or a job by its digest, or both of
/// those of a job.json.
std::vector<Approval> named(const PolicyArguments& args, const Membership& membership,
                            std::uint64_t now) {
  Approval approval{.by = args.by, .reason = args.reason};
  if (args.days > 0) approval.expires_unix_s = now + std::uint64_t{args.days} * 86400;
  if (const auto digest = config::digest_in(args.job)) {
    approval.digest = *digest;
    approval.what = "named by its digest";
    return {approval};
  }
  config::JobConfig job = config::load_job(args.job, args.overrides);
  stop_unless(config::complete(job, facts_of(membership.federation.roster).participants));
  std::vector<Approval> out(2, approval);
  out[0].digest = job.hash;
  out[0].what = "the job '" + job.name + "'";
  out[1].digest = kind_of(job, membership.federation.roster.coordinator_signing_key);
  out[1].what = "jobs of the kind of '" + job.name + "'";
  if (args.job_only) out.pop_back();
  return out;
}

observability::AuditEvent event_of(const char* kind, const Approval& approval) {
  return {kind,
          {{"digest", to_hex(approval.digest)},
           {"what", approval.what},
           {"by", approval.by},
           {"reason", approval.reason},
           {"expires_unix_s",
            approval.expires_unix_s ? std::to_string(*approval.expires_unix_s) : std::string()}}};
}

enum class Change { kApprove, kWithdraw };

/// Approves or withdraws. The order of the two writes ensures that a crash between them never
/// leaves an approval without an entry in the audit log.
void change(const PolicyArguments& args, Change what) {
  const bool approves = what == Change::kApprove;
  const auto keys = cli::open_keystore(args.dir, args.unlock);
  const std::uint64_t now = unix_now();
  const Membership membership = load_membership(args.dir, keys, now);
  const crypto::SigningKey signing = approvals_key(keys);
  const fs::path file = fs::path(args.dir) / kApprovalsFile;
  const config::Identity identity = keys.identity(membership.generation);
  auto audit = open_audit(args.dir, keys, identity, now);
  for (const Approval& approval : named(args, membership, now)) {
    if (approves) {
      stop_unless(audit.append(event_of("approval_given", approval), now));
      stop_unless(approve(file, signing, approval, now));
    } else {
      stop_unless(withdraw(file, signing, approval, now));
      stop_unless(audit.append(event_of("approval_withdrawn", approval), now));
    }
    print((approves ? "approved: " : "withdrawn: ") + approval.what + ", " +
          to_hex(approval.digest));
  }
  print(approves ? "A running participant accepts it within seconds."
                 : "A running participant joins no further round of it.");
}

void list(const PolicyArguments& args) {
  const auto keys = cli::open_keystore(args.dir, args.unlock);
  const auto approvals = or_stop(
      Approvals::read(fs::path(args.dir) / kApprovalsFile, approvals_key(keys).verify_key()));
  json out = json::array();
  for (const ApprovalEntry& entry : approvals.entries(unix_now())) {
    const Approval& a = entry.approval;
    if (args.json) {
      out.push_back({{"digest", to_hex(a.digest)},
                     {"what", a.what},
                     {"by", a.by},
                     {"reason", a.reason},
                     {"time", entry.time},
                     {"expires_unix_s", a.expires_unix_s ? json(*a.expires_unix_s) : json(nullptr)},
                     {"withdrawal", entry.withdrawal},
                     {"in_force", entry.in_force}});
      continue;
    }
    print(entry.time + "  " + (entry.withdrawal ? "withdrawn" : "approved") +
          (entry.in_force     ? ", in force"
           : entry.withdrawal ? ""
                              : ", no longer in force") +
          "  " + printable(a.what) + "\n  " + to_hex(a.digest) + "\n  by " + printable(a.by) +
          ": " + printable(a.reason));
  }
  if (args.json) print(out.dump());
}

cli::Command* add(cli::Command& policy, const std::shared_ptr<PolicyArguments>& args,
                  const char* name, const char* help) {
  cli::Command* sub = policy.add_subcommand(name, help);
  sub->add_option("--dir", args->dir, "Folder of this site's identity, ledger and approvals")
      ->capture_default_str();
  cli::add_unlock_options(*sub, args->unlock);
  return sub;
}

void add_change(cli::Command& policy, Change what) {
  const bool approves = what == Change::kApprove;
  auto args = std::make_shared<PolicyArguments>();
  cli::Command* sub =
      add(policy, args, approves ? "approve" : "withdraw",
          approves ? "Approve a job and its kind, for policy.require_approval"
                   : "Withdraw an approval, after which no further round is joined");
  sub->add_option("job", args->job,
                  "job.json, or the 64 digits of a kind or a job as `policy explain` prints them")
      ->required();
  sub->add_option("--by", args->by, "Name of the person who decides")->required();
  sub->add_option("--reason", args->reason, "Why")->required();
  sub->add_option("--set", args->overrides, "Override a key of the job")->allow_extra_args(false);
  sub->add_flag("--job-only", args->job_only,
                "Approve only this job and not other jobs of its kind");
  if (approves)
    sub->add_option(
        "--days", args->days,
        "Number of days for which the approval is in force; without limit unless given");
  sub->callback([args, what] { change(*args, what); });
}

}  // namespace

void add_policy_commands(cli::Command& app, int& exit_code) {
  cli::Command* policy =
      app.add_subcommand("policy", "Explain jobs and record a person's approvals");
  policy->require_subcommand(1);
  auto args = std::make_shared<PolicyArguments>();
  cli::Command* sub = add(
      *policy, args, "explain",
      "Explain what a job would train, cost and publish, and which rules of site.json it meets or "
      "violates. The exit code is 3 if the job would not be accepted. Nothing is charged or sent");
  sub->add_option("job", args->job, "job.json")->required();
  sub->add_option("--site", args->site, "File site.json; the one in --dir unless given");
  sub->add_option("--set", args->overrides, "Override a key of the job")->allow_extra_args(false);
  sub->add_flag("--json", args->json, "One JSON object");
  sub->callback([args, &exit_code] { explain(*args, exit_code); });
  add_change(*policy, Change::kApprove);
  add_change(*policy, Change::kWithdraw);
  auto more = std::make_shared<PolicyArguments>();
  sub = add(*policy, more, "approvals",
            "List everything that was approved or withdrawn, oldest first");
  sub->add_flag("--json", more->json, "Print a list of JSON objects");
  sub->callback([more] { list(*more); });
}

}  // namespace sotto::participant

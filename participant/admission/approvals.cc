#include "participant/admission/approvals.h"

#include <algorithm>
#include <charconv>

#include "common/config/model_files.h"
#include "common/observability/audit_check.h"
#include "common/observability/audit_log.h"
#include "common/storage/atomic_file.h"
#include "participant/admission/job_kind.h"

namespace sotto::participant {

namespace {

constexpr std::uint64_t kMaxApprovalsBytes = std::uint64_t{1} << 26;
constexpr std::string_view kApproved = "approved";
constexpr std::string_view kWithdrawn = "withdrawn";

std::optional<std::uint64_t> number_in(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<ApprovalEntry> entry_of(const observability::AuditEntry& line) {
  const auto digest = config::digest_in(line.field("digest"));
  const std::string expires = line.field("expires_unix_s");
  ApprovalEntry entry{.approval = {.digest = digest.value_or(Bytes32{}),
                                   .what = line.field("what"),
                                   .by = line.field("by"),
                                   .reason = line.field("reason"),
                                   .expires_unix_s = number_in(expires)},
                      .time = line.time,
                      .withdrawal = line.event.kind == kWithdrawn};
  // An unknown kind of entry may withdraw an approval, so it is an error.
  const bool known = entry.withdrawal || line.event.kind == kApproved;
  if (!digest || !known || (!expires.empty() && !entry.approval.expires_unix_s))
    return Error{"is not an approval that this program can read"};
  return entry;
}

Status append(const std::filesystem::path& file, const crypto::SigningKey& signing,
              const observability::AuditEvent& event, std::uint64_t now_unix_s) {
  SOTTO_ASSIGN_OR_RETURN(auto log, observability::AuditLog::open(file, signing));
  return log.append(event, now_unix_s);
}

observability::AuditEvent event_of(std::string_view kind, const Approval& approval) {
  return {std::string(kind),
          {{"digest", to_hex(approval.digest)},
           {"what", approval.what},
           {"by", approval.by},
           {"reason", approval.reason}}};
}

}  // namespace

crypto::SigningKey approvals_key(const identity::Keystore& keys) {
  return crypto::SigningKey::from_seed(keys.data_key("approvals"));
}

Result<Approvals> Approvals::read(const std::filesystem::path& file, const crypto::VerifyKey& key) {
  Approvals out;
  std::error_code failed;
  if (!std::filesystem::exists(std::filesystem::symlink_status(file, failed))) return out;
  SOTTO_ASSIGN_OR_RETURN(const auto bytes, storage::read_file(file, kMaxApprovalsBytes));
  const observability::AuditReport report = observability::check_audit_log(bytes, key);
  for (const observability::AuditFinding& finding : report.findings)
    if (finding.kind != observability::AuditFinding::Kind::kIncomplete)
      return Error{file.string() + ", line " + std::to_string(finding.line) + ": " + finding.what +
                   ". No approval counts while this file is not whole. Keep the file, move it "
                   "away, and approve the jobs again"};
  for (const observability::AuditEntry& line : observability::audit_entries(bytes)) {
    if (line.event.kind == "incomplete_line_dropped") continue;
    auto entry = entry_of(line);
    if (!entry.ok())
      return Error{file.string() + ", line " + std::to_string(line.sequence) + ": " +
                   entry.error().message};
    out.entries_.push_back(std::move(entry).value());
  }
  return out;
}

bool Approvals::in_force(const Bytes32& digest, std::uint64_t now_unix_s) const {
  const auto newest = std::find_if(entries_.rbegin(), entries_.rend(), [&](const auto& entry) {
    return entry.approval.digest == digest;
  });
  if (newest == entries_.rend() || newest->withdrawal) return false;
  return !newest->approval.expires_unix_s || now_unix_s < *newest->approval.expires_unix_s;
}

std::vector<ApprovalEntry> Approvals::entries(std::uint64_t now_unix_s) const {
  std::vector<ApprovalEntry> out = entries_;
  for (auto entry = out.begin(); entry != out.end(); ++entry) {
    const bool newest = std::none_of(std::next(entry), out.end(), [&](const auto& later) {
      return later.approval.digest == entry->approval.digest;
    });
    entry->in_force = newest && in_force(entry->approval.digest, now_unix_s);
  }
  return out;
}

Consent consent_to(const config::JobConfig& job, const Bytes32& coordinator,
                   const Approvals& approvals, std::uint64_t now_unix_s) {
  return {.to_kind = approvals.in_force(kind_of(job, coordinator), now_unix_s),
          .to_job = approvals.in_force(job.hash, now_unix_s)};
}

Status approve(const std::filesystem::path& file, const crypto::SigningKey& signing,
               const Approval& approval, std::uint64_t now_unix_s) {
  observability::AuditEvent event = event_of(kApproved, approval);
  if (approval.expires_unix_s)
    event.fields.emplace_back("expires_unix_s", std::to_string(*approval.expires_unix_s));
  return append(file, signing, event, now_unix_s);
}

Status withdraw(const std::filesystem::path& file, const crypto::SigningKey& signing,
                const Approval& approval, std::uint64_t now_unix_s) {
  return append(file, signing, event_of(kWithdrawn, approval), now_unix_s);
}

}  // namespace sotto::participant

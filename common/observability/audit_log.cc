#include "common/observability/audit_log.h"

#include <algorithm>
#include <ctime>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "common/crypto/hash.h"
#include "common/observability/audit_check.h"
#include "common/storage/atomic_file.h"
#include "common/storage/file_descriptor.h"
#include "common/storage/storage.h"

namespace sotto::observability {

namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;
constexpr int kMostTries = 500;
constexpr unsigned kBetweenTriesUs = 10000;

std::string utc(std::uint64_t unix_seconds) {
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Bytes32 hash_of(std::string_view line) {
  return crypto::hash("SOTTO audit", {view_of(line)});
}

/// Takes the lock of the log, and tries again while another process appends.
Result<storage::LockFile> lock_for_a_moment(const std::filesystem::path& file) {
  for (int tries = 0;; ++tries) {
    auto lock = storage::LockFile::acquire(file.string() + ".lock");
    if (lock.ok() || tries == kMostTries) return lock;
    ::usleep(kBetweenTriesUs);
  }
}

}  // namespace

AuditHead audit_start(const crypto::VerifyKey& key) {
  return {.sequence = 0, .hash = crypto::hash("SOTTO audit key", {key})};
}

AuditHead audit_head(std::string_view line, std::uint64_t sequence) {
  return {.sequence = sequence, .hash = hash_of(line)};
}

Bytes audit_signed_bytes(std::string_view body) {
  ByteWriter out;
  std::string label = "SOTTO sig audit";
  label.resize(16, '\0');
  out.bytes(view_of(label));
  out.bytes(hash_of(body));
  return out.take();
}

std::string audit_line(const AuditHead& previous, const AuditEvent& event,
                       std::uint64_t unix_seconds, const crypto::SigningKey& signing) {
  using json = nlohmann::ordered_json;
  json fields = json::object();
  for (const auto& [key, value] : event.fields)
    fields[key] = value;
  const json entry = {{"sequence", previous.sequence + 1},
                      {"time", utc(unix_seconds)},
                      {"kind", event.kind},
                      {"fields", std::move(fields)},
                      {"previous", to_hex(previous.hash)}};
  // The line is ASCII only, so that text from a peer cannot affect a terminal.
  std::string body = entry.dump(-1, ' ', true, json::error_handler_t::replace);
  body.pop_back();  // the brace follows the signature
  return body + ",\"signature\":\"" + to_hex(signing.sign(audit_signed_bytes(body))) + "\"}";
}

AuditLog::AuditLog(std::filesystem::path file, const crypto::SigningKey& signing)
    : file_(std::move(file)), signing_(&signing), head_(audit_start(signing.verify_key())) {}

Result<AuditLog> AuditLog::open(const std::filesystem::path& file,
                                const crypto::SigningKey& signing) {
  AuditLog log(file, signing);
  SOTTO_ASSIGN_OR_RETURN(const auto lock, lock_for_a_moment(file));
  if (!std::filesystem::exists(file)) {
    SOTTO_TRY(storage::write_file_atomically(file, {}, storage::FileAccess::kOwnerOnly));
  }
  if (const auto read = log.catch_up(); !read.ok()) return read.error();
  return log;
}

Result<std::uint64_t> AuditLog::catch_up() {
  SOTTO_ASSIGN_OR_RETURN(const auto content, storage::read_file(file_, kMaxFileBytes));
  if (content.size() < end_)
    return Error{file_.string() +
                 " became shorter while it was in use, so that another program cut it"};
  if (content.size() == end_) return std::uint64_t{0};
  // New entries are rare and short. The whole log is checked again, which needs no second rule.
  AuditReport report =
      check_audit_log(content, signing_->verify_key(),
                      head_.sequence > 0 ? std::vector{head_} : std::vector<AuditHead>{});
  std::uint64_t torn = 0;
  if (!report.findings.empty() && report.findings.back().kind == AuditFinding::Kind::kIncomplete) {
    const auto last = std::find(content.rbegin(), content.rend(), '\n');
    torn = static_cast<std::uint64_t>(last - content.rbegin());
    report.findings.pop_back();
  }
  if (!report.whole())
    return Error{file_.string() + ", line " + std::to_string(report.findings.front().line) + ": " +
                 report.findings.front().what +
                 ". No entry is added to a log that is not whole. Keep the log and move it away; a "
                 "new one then begins"};
  head_ = report.head;
  end_ = content.size() - torn;
  return torn;
}

Status AuditLog::append(const AuditEvent& event, std::uint64_t unix_seconds) {
  SOTTO_ASSIGN_OR_RETURN(const auto lock, lock_for_a_moment(file_));
  SOTTO_ASSIGN_OR_RETURN(const auto torn, catch_up());
  const storage::FileDescriptor file(::open(file_.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.is_open()) return storage::system_error("cannot open " + file_.string());
  std::string text;
  AuditHead head = head_;
  const auto add = [&](const AuditEvent& e) {
    const std::string line = audit_line(head, e, unix_seconds, *signing_);
    head = audit_head(line, head.sequence + 1);
    text += line + "\n";
  };
  if (torn > 0) {
    add({"incomplete_line_dropped", {{"bytes", std::to_string(torn)}}});
    // One byte of the incomplete line stays until the new line overwrites it, so that a crash in
    // between leaves an incomplete line again.
    if (storage::storage().resize(file.get(), end_ + 1) != 0 ||
        storage::storage().sync(file.get()) != 0)
      return storage::system_error("cannot cut the incomplete line of " + file_.string());
  }
  add(event);
  if (Status written = storage::write_all_at(file, view_of(text), end_); !written.ok())
    return Error{file_.string() + ": " + written.error().message};
  if (storage::storage().sync(file.get()) != 0)
    return storage::system_error("fsync of " + file_.string());
  head_ = head;
  end_ += text.size();
  return {};
}

Status hand_over_audit(const std::filesystem::path& folder, const crypto::SigningKey& from,
                       const crypto::SigningKey& to, std::uint64_t unix_seconds) {
  const std::filesystem::path file = folder / kAuditFile;
  const std::filesystem::path ended =
      folder / ("audit-" + to_hex(from.verify_key()).substr(0, 16) + ".jsonl");
  if (std::filesystem::exists(ended))
    return Error{ended.string() +
                 " exists; move it away, because the log of these keys ends there"};
  SOTTO_ASSIGN_OR_RETURN(auto old, AuditLog::open(file, from));
  SOTTO_TRY(
      old.append({"keys_replaced", {{"next_signing_key", to_hex(to.verify_key())}}}, unix_seconds));
  if (storage::storage().rename(file, ended) != 0)
    return storage::system_error("cannot rename " + file.string());
  SOTTO_TRY(storage::sync_directory(folder));
  SOTTO_ASSIGN_OR_RETURN(auto fresh, AuditLog::open(file, to));
  return fresh.append({"keys_taken_over",
                       {{"previous_signing_key", to_hex(from.verify_key())},
                        {"previous_head", to_text(old.head())}}},
                      unix_seconds);
}

}  // namespace sotto::observability

// The audit log of a party: what was enrolled, agreed, refused, released, proved and ended, one
// JSON line each, chained by hashes and signed with the party's long-term key. docs/audit.md says
// what a reader can and cannot learn from one.
//
//   line {"sequence":1,"time":"...","kind":"...","fields":{...},"previous":"H","signature":"S"}
//   previous   H("SOTTO audit", the line before, whole); of the first H("SOTTO audit key", key)
//   signature  Ed25519 over "SOTTO sig audit" padded to 16 || H("SOTTO audit", the line up to it)
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/sign.h"

namespace sotto::run {

/// In a party's folder, beside keystore.json.
inline constexpr const char* kAuditFile = "audit.jsonl";

/// Public facts only: never a secret, a record or a metric of a site.
struct AuditEvent {
  std::string kind;  // snake_case
  std::vector<std::pair<std::string, std::string>> fields;
};

/// The newest entry of a log, and with it all before. Shown to another party it keeps the end of
/// the log from being cut unnoticed.
struct AuditHead {
  std::uint64_t sequence = 0;  // 0: of an empty log
  Bytes32 hash{};

  bool operator==(const AuditHead&) const = default;
};

/// What the signature of a line that begins with `body` is over.
Bytes audit_signed_bytes(std::string_view body);
/// One signed line without its line feed; `previous` is the head that it follows.
std::string audit_line(const AuditHead& previous, const AuditEvent& event,
                       std::uint64_t unix_seconds, const crypto::SigningKey& signing);
AuditHead audit_start(const crypto::VerifyKey& key);
/// The head after `line`, which has `sequence`.
AuditHead audit_head(std::string_view line, std::uint64_t sequence);

/// Appends to one file. Other processes may append to it meanwhile (an enrolment during a run):
/// each append takes the lock `file`.lock for a moment. One thread.
class AuditLog {
 public:
  /// Makes the file when it is missing (mode 0600). `signing` outlives the log. An Error that names
  /// the line when the log is not whole: nothing is added to a log that somebody changed. An
  /// incomplete last line is what a crash leaves; the next append takes its place and says so.
  static Result<AuditLog> open(const std::filesystem::path& file,
                               const crypto::SigningKey& signing);

  /// Durable when it returns. After an Error what happened must not go on: it would be unsaid.
  Status append(const AuditEvent& event, std::uint64_t unix_seconds);

  [[nodiscard]] const AuditHead& head() const { return head_; }

 private:
  AuditLog(std::filesystem::path file, const crypto::SigningKey& signing);

  /// Under the lock: what others have appended since; the bytes of an incomplete last line.
  Result<std::uint64_t> catch_up();

  std::filesystem::path file_;
  const crypto::SigningKey* signing_;
  AuditHead head_;
  std::uint64_t end_ = 0;  // of the last whole line
};

}  // namespace sotto::run

// AuditLog is the audit log of a party: what was enrolled, accepted, declined, released, proved and
// ended. It has one JSON line for each event, chained by hashes and signed with the party's
// long-term key. docs/audit.md describes what a reader can and cannot learn from it.
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

namespace sotto::observability {

/// In a party's folder, beside keystore.json.
inline constexpr const char* kAuditFile = "audit.jsonl";

/// An event contains public facts only, and no secret, record or metric of a site.
struct AuditEvent {
  std::string kind;  // snake_case
  std::vector<std::pair<std::string, std::string>> fields;
};

/// AuditHead identifies the newest entry of a log and, through the chain, all entries before it. A
/// log cannot be truncated unnoticed before a head that was shown to another party.
struct AuditHead {
  std::uint64_t sequence = 0;  // 0 for an empty log
  Bytes32 hash{};

  bool operator==(const AuditHead&) const = default;
};

/// Returns the bytes that the signature of a line covers; `body` is the line up to the signature.
Bytes audit_signed_bytes(std::string_view body);
/// Returns one signed line without its line feed; `previous` is the head that it follows.
std::string audit_line(const AuditHead& previous, const AuditEvent& event,
                       std::uint64_t unix_seconds, const crypto::SigningKey& signing);
AuditHead audit_start(const crypto::VerifyKey& key);
/// Returns the head after `line`, whose number is `sequence`.
AuditHead audit_head(std::string_view line, std::uint64_t sequence);

/// AuditLog appends to one file. Other processes may append to it meanwhile (an enrolment during a
/// run); each append holds the lock `file`.lock while it runs. One thread.
class AuditLog {
 public:
  /// Opens the log and creates the file (mode 0600) when it is missing. `signing` outlives the log.
  /// Fails when the log is not whole, because nothing is appended to a log that was changed; the
  /// Error names the line. An incomplete last line, which a crash leaves, is not an error: the next
  /// append replaces it by an entry that records this.
  static Result<AuditLog> open(const std::filesystem::path& file,
                               const crypto::SigningKey& signing);

  /// Appends an entry, which is durable when it returns. After an Error the caller must not proceed
  /// with the event, because the log does not record it.
  Status append(const AuditEvent& event, std::uint64_t unix_seconds);

  [[nodiscard]] const AuditHead& head() const { return head_; }

 private:
  AuditLog(std::filesystem::path file, const crypto::SigningKey& signing);

  /// Reads the entries that other processes have appended; needs the lock. Returns the number of
  /// bytes of an incomplete last line.
  Result<std::uint64_t> catch_up();

  std::filesystem::path file_;
  const crypto::SigningKey* signing_;
  AuditHead head_;
  std::uint64_t end_ = 0;  // offset of the end of the last whole line
};

/// Ends an audit log and begins the next one when a rotation changes the key, because one key signs
/// all lines of a log. The old log ends with a line that names the new key, and the new one begins
/// with a line that names the old log's head. Ends FOLDER/audit.jsonl, which `from` signs, and
/// moves it to FOLDER/audit-FINGERPRINT.jsonl (the first 16 digits of that key); then begins the
/// log of `to`. Fails, without a change, when the old log is not whole.
Status hand_over_audit(const std::filesystem::path& folder, const crypto::SigningKey& from,
                       const crypto::SigningKey& to, std::uint64_t unix_seconds);

}  // namespace sotto::observability

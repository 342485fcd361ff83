// Verification of an audit log without trust in the party that stores it: the signature of every
// line, its place in the hash chain, and the presence of all heads that were shown to others.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/crypto/sign.h"
#include "common/observability/audit_log.h"

namespace sotto::observability {

struct AuditFinding {
  enum class Kind {
    kChanged,     // the line is not what the key signed
    kMissing,     // entries between this line and the one before are missing
    kMoved,       // the entry belongs at another place
    kRepeated,    // the entry occurred before
    kRewritten,   // signed, but of another history of the log: it was truncated and rewritten
    kIncomplete,  // the last line is not complete: a crash during the write, or a truncation
    kCut          // a head that was shown to another party is not in the log any more
  } kind{};
  std::uint64_t line = 0;  // from 1; 0: after the end
  std::string what;        // a sentence
};

std::string_view name(AuditFinding::Kind kind);

struct AuditReport {
  AuditHead head;  // of the last good line
  std::uint64_t lines = 0;
  std::vector<AuditFinding> findings;  // in the order of lines

  [[nodiscard]] bool whole() const { return findings.empty(); }
};

/// Checks every line of the log, regardless of findings in earlier lines. `shown` are heads of this
/// log that other parties stored.
AuditReport check_audit_log(BytesView log, const crypto::VerifyKey& key,
                            const std::vector<AuditHead>& shown = {});

/// The content of a line.
struct AuditEntry {
  std::uint64_t sequence = 0;
  std::string time;  // by the clock of the party that wrote it
  AuditEvent event;

  /// Returns the value of a field; empty when there is no such field.
  [[nodiscard]] std::string field(std::string_view key) const;
};

/// Returns the entries of a log in which check_audit_log found nothing but an incomplete last line.
/// Lines that are not an entry are left out.
std::vector<AuditEntry> audit_entries(BytesView log);

/// Returns the text form of a head: "17:0123...".
std::string to_text(const AuditHead& head);
Result<AuditHead> parse_audit_head(std::string_view text);

/// These functions return the report as several lines for people, and as one JSON object.
std::string describe(const AuditReport& report, const std::string& file);
std::string to_json(const AuditReport& report, const std::string& file);

/// Returns FOLDER/audit.jsonl for a folder, and the argument itself for a file.
std::filesystem::path audit_file(const std::filesystem::path& folder_or_file);

/// Returns the key that began the log: its first line follows audit_start(key). Returns nothing
/// when none of `keys` did, or the log has no line.
std::optional<crypto::VerifyKey> audit_beginner(const std::filesystem::path& file,
                                                const std::vector<crypto::VerifyKey>& keys);

/// Identifies the party whose log is checked. With a federation file, it is the coordinator that
/// the file names, or the member of the given name. Without one, it is the party of the keystore
/// beside `log`, by the held or retired key that began the log.
struct AuditParty {
  std::filesystem::path log;
  std::filesystem::path federation;
  std::string member;
};

/// Returns the party's signing key. Throws StartupError when there is no such party.
crypto::VerifyKey audit_key(const AuditParty& party);

/// Checks a file, for the commands. Throws StartupError when it cannot be read or a head in `shown`
/// is malformed.
AuditReport check_audit_file(const std::filesystem::path& log, const crypto::VerifyKey& key,
                             const std::vector<std::string>& shown);

}  // namespace sotto::observability

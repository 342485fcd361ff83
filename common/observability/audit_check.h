// Reading an audit log without trusting who kept it: every line's signature and place in the chain,
// and that it holds the heads that were shown to others.
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

namespace sotto::run {

struct AuditFinding {
  enum class Kind {
    kChanged,     // the line is not what the key signed
    kMissing,     // entries between this line and the one before are gone
    kMoved,       // an entry that belongs elsewhere
    kRepeated,    // an entry that was there already
    kRewritten,   // signed, but of another history of the log: it was cut and written anew
    kIncomplete,  // the last line has no end: a crash while it was written, or a cut
    kCut          // a head that was shown to somebody is not in the log any more
  } kind{};
  std::uint64_t line = 0;  // from 1; 0: behind the end
  std::string what;        // a sentence
};

std::string_view name(AuditFinding::Kind kind);

struct AuditReport {
  AuditHead head;  // of the last good line
  std::uint64_t lines = 0;
  std::vector<AuditFinding> findings;  // in the order of lines

  [[nodiscard]] bool whole() const { return findings.empty(); }
};

/// `shown` are heads of this log that others kept. Every line is looked at, whatever came before.
AuditReport check_audit_log(BytesView log, const crypto::VerifyKey& key,
                            const std::vector<AuditHead>& shown = {});

/// A line as it reads.
struct AuditEntry {
  std::uint64_t sequence = 0;
  std::string time;  // as its writer's clock had it
  AuditEvent event;

  /// Empty when there is no such field.
  [[nodiscard]] std::string field(std::string_view key) const;
};

/// The whole lines of a log, of which check_audit_log found nothing but an incomplete end. What is
/// no entry is left out.
std::vector<AuditEntry> audit_entries(BytesView log);

/// "17:0123...": how a head is written down.
std::string to_text(const AuditHead& head);
Result<AuditHead> parse_audit_head(std::string_view text);

/// For people, several lines; and one JSON object.
std::string describe(const AuditReport& report, const std::string& file);
std::string to_json(const AuditReport& report, const std::string& file);

/// FOLDER/audit.jsonl, or the log that was named itself.
std::filesystem::path audit_file(const std::filesystem::path& folder_or_file);

/// Which of the keys began the log: its first line follows audit_start(key). Nothing when none did,
/// or there is no line.
std::optional<crypto::VerifyKey> audit_beginner(const std::filesystem::path& file,
                                                const std::vector<crypto::VerifyKey>& keys);

/// Whose log it is: with a federation file the coordinator it names, or the member of that name;
/// without one that of the keystore beside `log`, held or retired, that began it.
struct AuditParty {
  std::filesystem::path log;
  std::filesystem::path federation;
  std::string member;
};

/// Throws StartupError when there is no such party.
crypto::VerifyKey audit_key(const AuditParty& party);

/// For the commands. Throws StartupError when it cannot be read or a head is malformed.
AuditReport check_audit_file(const std::filesystem::path& log, const crypto::VerifyKey& key,
                             const std::vector<std::string>& shown);

}  // namespace sotto::run

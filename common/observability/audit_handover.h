// hand_over_audit() ends an audit log and begins the next one when a rotation changes the key,
// because one key signs all lines of a log. The old log ends with a line that names the new key,
// and the new one begins with a line that names the old log's head.
#pragma once

#include <filesystem>

#include "common/base/result.h"
#include "common/crypto/sign.h"
#include "common/observability/audit_log.h"

namespace sotto::observability {

/// Ends FOLDER/audit.jsonl, which `from` signs, and moves it to FOLDER/audit-FINGERPRINT.jsonl (the
/// first 16 digits of that key); then begins the log of `to`. Fails, without a change, when the old
/// log is not whole.
Status hand_over_audit(const std::filesystem::path& folder, const crypto::SigningKey& from,
                       const crypto::SigningKey& to, std::uint64_t unix_seconds);

}  // namespace sotto::observability

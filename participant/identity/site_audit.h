// The audit log of a site whose keys may have been rotated. Start-up code: throws StartupError.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/identity/identity.h"
#include "common/identity/keystore.h"
#include "common/observability/audit_log.h"

namespace sotto::participant {

/// Opens FOLDER/audit.jsonl, to be signed by `identity`, which outlives it and is of `keys`. If an
/// earlier generation of `keys` began the log, the log is first handed over to `identity`.
observability::AuditLog open_audit(const std::filesystem::path& folder,
                                   const identity::Keystore& keys, const config::Identity& identity,
                                   std::uint64_t now_unix_s);

}  // namespace sotto::participant

#include "participant/identity/site_audit.h"

#include "common/observability/audit_check.h"

namespace sotto::participant {

observability::AuditLog open_audit(const std::filesystem::path& folder,
                                   const identity::Keystore& keys, const config::Identity& identity,
                                   std::uint64_t now_unix_s) {
  const std::filesystem::path file = folder / observability::kAuditFile;
  for (const identity::PublicKeys& held : keys.description().held) {
    if (held.signing_key == identity.signing.verify_key()) continue;
    if (!observability::audit_beginner(file, {held.signing_key})) continue;
    const config::Identity old = keys.identity(held.generation);
    observability::hand_over_audit(folder, old.signing, identity.signing, now_unix_s).or_stop();
    break;
  }
  return observability::AuditLog::open(file, identity.signing).or_stop();
}

}  // namespace sotto::participant

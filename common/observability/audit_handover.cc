#include "common/observability/audit_handover.h"

#include "common/observability/audit_check.h"
#include "common/storage/atomic_file.h"
#include "common/storage/storage.h"

namespace sotto::observability {

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

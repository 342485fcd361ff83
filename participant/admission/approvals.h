// Approvals holds the approvals that the site's staff gave: FOLDER/approvals.jsonl, append-only, in
// the format of the audit log, so that each line is signed with a key of the site and chained to
// the one before. The commands write the file. A running participant reads it again for every
// decision.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/config/job.h"
#include "common/crypto/sign.h"
#include "common/identity/keystore.h"
#include "participant/admission/policy.h"

namespace sotto::participant {

inline constexpr const char* kApprovalsFile = "approvals.jsonl";

/// Returns the key that signs the file. It comes from the site's keystore and does not change when
/// keys are rotated.
crypto::SigningKey approvals_key(const identity::Keystore& keys);

/// The approval of a kind of job (job_kind.h) or of one job (its hash). The label of the hash
/// decides which of the two a digest names.
struct Approval {
  Bytes32 digest{};
  std::string what;    // for display: "jobs of the kind of 'snips-intents'"
  std::string by;      // who
  std::string reason;  // why
  std::optional<std::uint64_t> expires_unix_s{};
};

/// One entry of the file, and whether it is in force.
struct ApprovalEntry {
  Approval approval;  // for a withdrawal: the approval that it ends
  std::string time;   // time at which it was written
  bool withdrawal = false;
  bool in_force = false;
};

class Approvals {
 public:
  /// Reads and verifies the file. No file gives no approvals. An incomplete last line, which a
  /// crash leaves, is ignored. Returns an Error that names the line if the file is not what `key`
  /// signed; then nothing is approved.
  static Result<Approvals> read(const std::filesystem::path& file, const crypto::VerifyKey& key);

  /// True if the newest entry for the digest is an approval that has not expired.
  [[nodiscard]] bool in_force(const Bytes32& digest, std::uint64_t now_unix_s) const;
  /// All entries, oldest first.
  [[nodiscard]] std::vector<ApprovalEntry> entries(std::uint64_t now_unix_s) const;

 private:
  std::vector<ApprovalEntry> entries_;
};

/// Returns which approvals are in force for a job of this coordinator and for its kind.
Consent consent_to(const config::JobConfig& job, const Bytes32& coordinator,
                   const Approvals& approvals, std::uint64_t now_unix_s);

/// Appends an approval; durable on return. An Error if the file is incomplete or altered: then
/// nothing is added to it.
Status approve(const std::filesystem::path& file, const crypto::SigningKey& signing,
               const Approval& approval, std::uint64_t now_unix_s);
/// Appends a withdrawal, with the same guarantees. Ignores `approval.expires_unix_s`.
Status withdraw(const std::filesystem::path& file, const crypto::SigningKey& signing,
                const Approval& approval, std::uint64_t now_unix_s);

}  // namespace sotto::participant

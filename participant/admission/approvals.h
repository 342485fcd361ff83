// What people of this site agreed to: FOLDER/approvals.jsonl, append-only, in the format of the
// audit log, so that each line is signed with a key of the site and chained to the one before. The
// commands write it; a running participant reads it anew whenever it decides.
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

/// What the file is signed with: a key of the site's keystore that rotations leave as it is.
crypto::SigningKey approvals_key(const keystore::Keystore& keys);

/// Of a kind of job (job_kind.h) or of one job (its hash); which of the two a digest names follows
/// from the hash's label.
struct Approval {
  Bytes32 digest{};
  std::string what;    // for people: "jobs of the kind of 'snips-intents'"
  std::string by;      // who
  std::string reason;  // why
  std::optional<std::uint64_t> expires_unix_s{};
};

/// One entry as it stands in the file, and whether it is in force.
struct ApprovalEntry {
  Approval approval;  // of a withdrawal what it takes back
  std::string time;   // when it was written
  bool withdrawal = false;
  bool in_force = false;
};

class Approvals {
 public:
  /// None where there is no file. An incomplete last line, which a crash leaves, says nothing. An
  /// Error that names the line where the file is not what `key` signed: then nothing is approved.
  static Result<Approvals> read(const std::filesystem::path& file, const crypto::VerifyKey& key);

  /// The newest word about the digest is an approval that has not expired.
  [[nodiscard]] bool in_force(const Bytes32& digest, std::uint64_t now_unix_s) const;
  /// All, oldest first.
  [[nodiscard]] std::vector<ApprovalEntry> entries(std::uint64_t now_unix_s) const;

 private:
  std::vector<ApprovalEntry> entries_;
};

/// What the file says now about a job of this coordinator.
Consent consent_to(const config::JobConfig& job, const Bytes32& coordinator,
                   const Approvals& approvals, std::uint64_t now_unix_s);

/// Durable when they return. An Error when the file is not whole: nothing is added to it.
Status approve(const std::filesystem::path& file, const crypto::SigningKey& signing,
               const Approval& approval, std::uint64_t now_unix_s);
/// `approval.expires_unix_s` is without meaning.
Status withdraw(const std::filesystem::path& file, const crypto::SigningKey& signing,
                const Approval& approval, std::uint64_t now_unix_s);

}  // namespace sotto::participant

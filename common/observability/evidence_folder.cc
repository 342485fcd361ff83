#include "common/observability/evidence_folder.h"

#include "common/crypto/hash.h"
#include "common/storage/atomic_file.h"

namespace sotto::observability {

namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

/// Returns a name from the round and the content, so that no other evidence overwrites the file.
std::string file_name(const secagg::Evidence& evidence, const Bytes& bytes) {
  const std::string digest = to_hex(crypto::hash("SOTTO evidence", {bytes}));
  return "round-" + std::to_string(evidence.header.round.server_round()) + "." +
         std::to_string(evidence.header.round.attempt()) + "-" + digest.substr(0, 16) + ".evidence";
}

std::string name_of(MemberId id) {
  return id == kCoordinatorId ? "the coordinator" : "member " + std::to_string(raw(id));
}

}  // namespace

secagg::EvidenceRoster evidence_roster(const config::Roster& roster) {
  secagg::EvidenceRoster out{.roster_hash = roster.hash(),
                             .coordinator = roster.coordinator_signing_key};
  for (const config::RosterMember& member : roster.members)
    out.members.push_back({member.id, member.signing_key});
  return out;
}

KeptEvidence keep_evidence(const std::filesystem::path& folder, const secagg::Evidence& evidence,
                           const config::Roster& roster) {
  const auto finding = secagg::check_evidence(evidence, evidence_roster(roster));
  if (!finding.ok())
    return {.finding = std::nullopt,
            .line = "a contradiction is not evidence: " + finding.error().message};
  const std::string line = "evidence against " + name_of(finding->offender) + ", " + finding->rule;
  const Bytes bytes = secagg::encode_evidence(evidence);
  const std::filesystem::path file = folder / file_name(evidence, bytes);
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return {*finding, line + "; the evidence could not be stored: " + failed.message()};
  if (Status kept = storage::write_file_atomically(file, {bytes}, storage::FileAccess::kOwnerOnly);
      !kept.ok())
    return {*finding, line + "; the evidence could not be stored: " + kept.error().message};
  return {*finding, line + "; the evidence is stored in " + file.string()};
}

Result<secagg::Finding> check_evidence_file(const std::filesystem::path& file,
                                            const config::Roster& roster) {
  SOTTO_ASSIGN_OR_RETURN(const auto bytes, storage::read_file(file, kMaxBytes));
  SOTTO_ASSIGN_OR_RETURN(const auto evidence, secagg::parse_evidence(bytes));
  return secagg::check_evidence(evidence, evidence_roster(roster));
}

}  // namespace sotto::observability

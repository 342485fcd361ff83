// Storage of evidence: one file for each piece in a folder of a run or of a site. Evidence is
// checked before it is written, and anybody who has the file can check it again offline.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/config/federation.h"
#include "common/secagg/evidence/evidence.h"

namespace sotto::observability {

/// Returns the keys with which evidence is checked: those of all members and the coordinator's.
secagg::EvidenceRoster evidence_roster(const config::Roster& roster);

struct KeptEvidence {
  std::optional<secagg::Finding> finding;  // absent: it proves nothing, and no file was written
  std::string line;  // for people: the offender, the rule and the file, or why there is no file
};

/// Checks the evidence and writes it durably into `folder`, which it creates when missing. The same
/// evidence again changes nothing. If the file cannot be written, the line reports it and the
/// finding is returned nevertheless.
KeptEvidence keep_evidence(const std::filesystem::path& folder, const secagg::Evidence& evidence,
                           const config::Roster& roster);

/// Reads and checks one file, for the command `evidence`. The Error is the reason why it proves
/// nothing.
Result<secagg::Finding> check_evidence_file(const std::filesystem::path& file,
                                            const config::Roster& roster);

}  // namespace sotto::observability

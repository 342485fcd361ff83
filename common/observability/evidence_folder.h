// Where evidence is kept: one file each in a folder of a run or of a site, checked before it is
// written and again, offline, by whoever is shown it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "common/config/federation.h"
#include "common/secagg/evidence/evidence.h"

namespace sotto::run {

/// The keys that evidence is checked with: everybody's and the coordinator's.
secagg::EvidenceRoster evidence_roster(const config::Roster& roster);

struct KeptEvidence {
  std::optional<secagg::Finding> finding;  // absent: it proves nothing, and no file was written
  std::string line;  // for people: who broke which rule and the file, or why it was not kept
};

/// Checks it and writes it into `folder`, made when missing, durably; the same evidence again
/// changes nothing. A file that cannot be written is said in the line, beside the finding.
KeptEvidence keep_evidence(const std::filesystem::path& folder, const secagg::Evidence& evidence,
                           const config::Roster& roster);

/// Reads and checks one file, for `evidence`. An Error says why it proves nothing.
Result<secagg::Finding> check_evidence_file(const std::filesystem::path& file,
                                            const config::Roster& roster);

}  // namespace sotto::run

// Where evidence is kept: one file each in a folder of a run or of a site, checked before it is
// written and again, offline, by whoever is shown it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/config/federation.h"
#include "common/secagg/evidence/evidence.h"

namespace sotto::run {

/// The keys that evidence is checked with: everybody's and the coordinator's.
secagg::EvidenceRoster evidence_roster(const config::Roster& roster);

/// What the line of a piece that proves something begins with.
inline constexpr std::string_view kEvidenceLine = "evidence against ";

/// Writes it into `folder`, made when missing, durably; the same evidence again changes nothing. A
/// line for people either way: whom it convicts of what and its file, or why it was not kept.
std::string keep_evidence(const std::filesystem::path& folder, const secagg::Evidence& evidence,
                          const config::Roster& roster);

/// Reads and checks one file, for `evidence`. An Error says why it proves nothing.
Result<secagg::Finding> check_evidence_file(const std::filesystem::path& file,
                                            const config::Roster& roster);

}  // namespace sotto::run

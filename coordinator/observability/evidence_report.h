// The output of `sotto-coordinator evidence` about a file.
#pragma once

#include <string>

#include "common/config/federation.h"
#include "common/secagg/evidence/evidence.h"

namespace sotto::coordinator {

/// One line of text.
std::string describe_evidence(const std::string& file, const Result<secagg::Finding>& finding,
                              const config::Roster& roster);
/// {"file", "proves": true, "guilty", "name", "rule"} or {"file", "proves": false, "reason"}.
std::string evidence_json(const std::string& file, const Result<secagg::Finding>& finding,
                          const config::Roster& roster);

}  // namespace sotto::coordinator

// The commands `sotto-participant data import`, `show`, `verify` and `adopt`, and reports about
// opened records.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/observability/audit_log.h"
#include "participant/data/secure_record_store.h"

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

/// Adds all four below `data`. `exit_code` becomes 1 if verify finds damage.
void add_records_commands(cli::Command& data, int& exit_code);

/// Returns the counts by the name of the purpose.
std::map<std::string, std::uint64_t> by_purpose(const data::OpenCounts& counts);
/// Returns the event "records_opened" with a count for each purpose, or no value if no record was
/// opened.
std::optional<observability::AuditEvent> opens_event(const data::OpenCounts& counts);

}  // namespace sotto::participant

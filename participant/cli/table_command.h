// The commands `sotto-participant data check` and `data anonymise`.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

/// Adds both below `data`.
void add_table_commands(cli::Command& data);

}  // namespace sotto::participant

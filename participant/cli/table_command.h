// The commands `sotto-participant data check` and `data anonymise`.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

/// Adds both below `data`.
void add_table_commands(CLI::App& data);

}  // namespace sotto::participant

// The command `sotto-participant data count`.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

void add_count_command(CLI::App& data);

}  // namespace sotto::participant

// The command `sotto-participant data split`.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

void add_split_command(CLI::App& data);

}  // namespace sotto::participant

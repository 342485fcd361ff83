// The command `sotto-participant ledger`.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

void add_ledger_command(CLI::App& app);

}  // namespace sotto::participant

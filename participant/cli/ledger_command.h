// The command `sotto-participant ledger`.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_ledger_command(cli::Command& app);

}  // namespace sotto::participant

// The command `sotto-participant data inspect`.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

/// `exit_code` becomes 1 if something would be refused or left out.
void add_inspect_command(cli::Command& data, int& exit_code);

}  // namespace sotto::participant

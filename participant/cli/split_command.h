// The command `sotto-participant data split`.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_split_command(cli::Command& data);

}  // namespace sotto::participant

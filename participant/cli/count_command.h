// The command `sotto-participant data count`.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_count_command(cli::Command& data);

}  // namespace sotto::participant

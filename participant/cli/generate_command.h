// The command `sotto-participant generate`: continues a prompt with a language model.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_generate_command(cli::Command& app);

}  // namespace sotto::participant

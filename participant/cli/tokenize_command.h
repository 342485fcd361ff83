// The command `sotto-participant tokenize`: prints the tokens that a model reads.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_tokenize_command(cli::Command& app);

}  // namespace sotto::participant

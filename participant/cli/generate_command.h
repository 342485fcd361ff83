// The command `sotto-participant generate`: continues a prompt with a language model.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

void add_generate_command(CLI::App& app);

}  // namespace sotto::participant

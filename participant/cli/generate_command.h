// `sotto-participant generate`: what a language model makes of a prompt.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

void add_generate_command(CLI::App& app);

}  // namespace sotto::participant

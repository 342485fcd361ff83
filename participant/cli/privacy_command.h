// `sotto-participant privacy`: what-if questions on the command line.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

void add_privacy_command(CLI::App& app);

}  // namespace sotto::participant

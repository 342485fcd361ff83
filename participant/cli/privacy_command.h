// The command `sotto-participant privacy`: the privacy of planned runs.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

void add_privacy_command(CLI::App& app);

}  // namespace sotto::participant

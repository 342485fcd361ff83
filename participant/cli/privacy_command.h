// The command `sotto-participant privacy`: the privacy of planned runs.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_privacy_command(cli::Command& app);

}  // namespace sotto::participant

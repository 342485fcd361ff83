// `sotto-coordinator init | enroll | remove | revoke | keys`: the commands for the coordinator's
// keys and the roster.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::coordinator {

void add_roster_commands(cli::Command& app);

}  // namespace sotto::coordinator

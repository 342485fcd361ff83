// `sotto-coordinator init | enroll | remove | revoke | keys`: the commands for the coordinator's
// keys and the roster.
#pragma once

namespace CLI {
class App;
}

namespace sotto::coordinator {

void add_roster_commands(CLI::App& app);

}  // namespace sotto::coordinator

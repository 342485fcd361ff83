// `sotto-coordinator init | enroll | remove | revoke | keys`: the coordinator's keys, and who is
// in.
#pragma once

namespace CLI {
class App;
}

namespace sotto::coordinator {

void add_roster_commands(CLI::App& app);

}  // namespace sotto::coordinator

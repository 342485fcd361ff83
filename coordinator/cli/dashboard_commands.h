// What an operator says to a run from a shell on the coordinator's machine: status, pause, resume,
// stop, logs. They talk to the process over its control socket, so they need no network and no
// token: who may open the socket may do it.
#pragma once

namespace CLI {
class App;
}

namespace sotto::coordinator::dashboard {

/// Adds the subcommands to `app`; they throw StartupError.
void add_commands(CLI::App& app);

}  // namespace sotto::coordinator::dashboard

// The commands with which an operator controls a run from a shell on the coordinator's machine:
// status, pause, resume, stop, logs. They use the process's control socket, so they need no network
// and no token: the permissions of the socket decide who may use them.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::coordinator::dashboard {

/// Adds the subcommands to `app`; they throw StartupError.
void add_commands(cli::Command& app);

}  // namespace sotto::coordinator::dashboard

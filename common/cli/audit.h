// The command `audit verify`, which checks a signed audit log.
#pragma once

namespace CLI {
class App;
}

namespace sotto::cli {

/// Adds the command to `app`. When it runs, it sets `exit_code` to 3 if the log is not whole.
void add_audit_command(CLI::App& app, int& exit_code);

}  // namespace sotto::cli

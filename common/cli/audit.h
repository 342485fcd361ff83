// `audit verify`: reading a signed log.
#pragma once

namespace CLI {
class App;
}

namespace sotto::command {

/// Sets `exit_code` to 3 when a log is not whole.
void add_audit_command(CLI::App& app, int& exit_code);

}  // namespace sotto::command

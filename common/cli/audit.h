// The command `audit verify`, which checks a signed audit log.
#pragma once

namespace sotto::cli {

class Command;

/// Adds the command to `app`. When it runs, it sets `exit_code` to 3 if the log is not whole.
void add_audit_command(Command& app, int& exit_code);

}  // namespace sotto::cli

// The commands `sotto-participant policy`: what a job would mean for this site, and approvals.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

/// Adds the commands. `exit_code` becomes 3 if a job would not be accepted.
void add_policy_commands(cli::Command& app, int& exit_code);

}  // namespace sotto::participant

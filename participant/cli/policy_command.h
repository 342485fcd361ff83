// `sotto-participant policy`: what a job would mean for this site, and what its people agree to.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

/// `exit_code` becomes 3 where a job would not be accepted.
void add_policy_commands(CLI::App& app, int& exit_code);

}  // namespace sotto::participant

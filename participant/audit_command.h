// `sotto-participant audit`: reading a signed log.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

void add_audit_command(CLI::App& app, int& exit_code);

}  // namespace sotto::participant

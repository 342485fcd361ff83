// `sotto-participant data mask`, `data mask-score` and `data mask-key` on the command line.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

/// Adds them below `data`.
void add_masking_commands(CLI::App& data);

}  // namespace sotto::participant

// The redaction commands `sotto-participant data mask`, `data mask-score` and `data mask-key`.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

/// Adds the commands below `data`.
void add_masking_commands(CLI::App& data);

}  // namespace sotto::participant

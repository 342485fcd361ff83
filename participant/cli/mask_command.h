// The redaction commands `sotto-participant data mask`, `data mask-score` and `data mask-key`.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

/// Adds the commands below `data`.
void add_masking_commands(cli::Command& data);

}  // namespace sotto::participant

// The command `sotto-participant model export`: writes a trained model as one folder.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_export_command(cli::Command& model);

}  // namespace sotto::participant

// The command `sotto-participant evaluate`: measures a trained model on labelled texts.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_evaluate_command(cli::Command& app);

}  // namespace sotto::participant

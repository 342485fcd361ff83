// The command `sotto-participant predict`: answers texts with a trained model.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_predict_command(cli::Command& app);

}  // namespace sotto::participant

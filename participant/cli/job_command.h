// `job init`: writes a first job.json for a data set, a model and an epsilon.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_job_commands(cli::Command& app);

}  // namespace sotto::participant

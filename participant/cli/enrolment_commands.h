// The commands `sotto-participant init | join | preshared | keys`: a site's keys, and the
// federation that it joins.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_enrolment_commands(cli::Command& app);
void add_keys_commands(cli::Command& app);

}  // namespace sotto::participant

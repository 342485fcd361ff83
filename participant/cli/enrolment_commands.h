// The commands `sotto-participant init | join | preshared | keys`: a site's keys, and the
// federation that it joins.
#pragma once

namespace CLI {
class App;
}

namespace sotto::participant {

void add_enrolment_commands(CLI::App& app);
void add_keys_commands(CLI::App& app);

}  // namespace sotto::participant

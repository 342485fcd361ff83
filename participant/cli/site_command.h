// `site init`: writes a site.json.
#pragma once

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

void add_site_commands(cli::Command& app);

}  // namespace sotto::participant

// What happens in a site's session, as a line of its log.
#pragma once

#include <optional>
#include <string>

#include "participant/protocol/session.h"

namespace sotto::participant {

/// Nothing for what nobody needs to hear about.
std::optional<std::string> line_for_log(const SessionEvent& event);

}  // namespace sotto::participant

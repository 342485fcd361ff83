// The text of a session event for the site's log.
#pragma once

#include <optional>
#include <string>

#include "participant/protocol/session.h"

namespace sotto::participant {

/// Returns no value for events that are not logged.
std::optional<std::string> line_for_log(const SessionEvent& event);

}  // namespace sotto::participant

// Sends a request to the coordinator that runs in a folder, over its control socket. Blocks; for
// commands.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace sotto::coordinator::dashboard {

/// Returns the body of the answer to `method` ("GET" or "POST") of `target`; nullopt when no
/// coordinator runs in `folder`. An Error when the coordinator refuses, or when no data arrives for
/// 30 seconds.
Result<std::optional<std::string>> ask_coordinator(const std::filesystem::path& folder,
                                                   std::string_view method,
                                                   std::string_view target);

}  // namespace sotto::coordinator::dashboard

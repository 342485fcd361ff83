// The dashboard's files, which are embedded in the binary, so that the dashboard works offline and
// loads nothing from elsewhere.
#pragma once

#include <optional>
#include <string_view>

namespace sotto::coordinator::dashboard {

struct Asset {
  std::string_view content_type;
  std::string_view bytes;
};

std::optional<Asset> find_asset(std::string_view path);

}  // namespace sotto::coordinator::dashboard

// The dashboard's files, inside the binary: it works offline and loads nothing from anywhere else.
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

// list_of() writes lists in sentences.
#pragma once

#include <string>
#include <vector>

namespace sotto::tasks {

/// Returns, for example, "a, b, c and 4 more", with at most `most` items.
inline std::string list_of(const std::vector<std::string>& items, std::size_t most) {
  std::string out;
  for (std::size_t i = 0; i < items.size() && i < most; ++i)
    out += (i == 0 ? "" : ", ") + items[i];
  return items.size() > most ? out + " and " + std::to_string(items.size() - most) + " more" : out;
}

}  // namespace sotto::tasks

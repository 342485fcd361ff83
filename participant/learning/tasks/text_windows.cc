#include "participant/learning/tasks/text_windows.h"

#include <algorithm>

#include "common/base/check.h"

namespace sotto::learning {

std::vector<TextWindow> windows_of(std::span<const std::size_t> starts, std::size_t ids,
                                   std::size_t room) {
  SOTTO_CHECK(room > 0, "a window sees something");
  const auto word_from = [&](std::size_t id) {
    return static_cast<std::size_t>(std::ranges::lower_bound(starts, id) - starts.begin());
  };
  std::vector<TextWindow> out;
  for (std::size_t word = 0; word < starts.size();) {
    const std::size_t begin = starts[word], end = std::min(begin + room, ids);
    out.push_back({.begin = begin, .end = end, .first = word, .past = starts.size()});
    if (end == ids) break;
    // Advances by at least one word, however long it is.
    word = std::max(word_from(begin + (room + 1) / 2), word + 1);
  }
  // From the middle of the overlap on, the later window contains more context.
  for (std::size_t i = 1; i < out.size(); ++i) {
    const std::size_t middle = (out[i].begin + std::max(out[i].begin, out[i - 1].end)) / 2;
    out[i].first = std::max(out[i].first, word_from(middle));
    out[i - 1].past = out[i].first;
  }
  return out;
}

}  // namespace sotto::learning

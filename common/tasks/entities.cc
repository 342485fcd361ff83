#include "common/tasks/entities.h"

#include <algorithm>

#include "common/base/check.h"

namespace sotto::tasks {

std::vector<Entity> entities_of(std::span<const std::int64_t> tags) {
  std::vector<Entity> out;
  bool open = false;  // whether the last entity ends with the word before this one
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (tags[i] == 0) {
      open = false;
      continue;
    }
    const auto label = static_cast<std::size_t>(tags[i] - 1) / 2;
    const bool begins = tags[i] % 2 == 1;
    if (begins || !open || out.back().label != label)
      out.push_back({i, i + 1, label});
    else
      out.back().end = i + 1;
    open = true;
  }
  return out;
}

void count_entities(std::span<const std::int64_t> predicted, std::span<const std::int64_t> right,
                    std::span<EntityCounts> counts) {
  SOTTO_CHECK(predicted.size() == right.size(),
              "the two label sequences of a sentence have the same length");
  const std::vector<Entity> found = entities_of(predicted), expected = entities_of(right);
  for (const Entity& e : found) {
    if (std::ranges::find(expected, e) != expected.end())
      ++counts[e.label].found;
    else
      ++counts[e.label].wrong;
  }
  for (const Entity& e : expected)
    if (std::ranges::find(found, e) == found.end()) ++counts[e.label].missed;
}

}  // namespace sotto::tasks

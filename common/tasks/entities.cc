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

Result<TagClasses> tag_classes(const std::vector<std::string>& names) {
  TagClasses out;
  for (const std::string& name : names) {
    if (name == "O") {
      out.of_class.push_back(0);
      continue;
    }
    const bool begins = name.starts_with("B-");
    if (name.size() < 3 || (!begins && !name.starts_with("I-")))
      return Error{"its head has the class \"" + name.substr(0, 60) +
                   "\", which is not a tag of IOB2 (O, B-PER, I-PER, ...)"};
    const std::string label = name.substr(2);
    auto at = std::ranges::find(out.labels, label);
    if (at == out.labels.end()) at = out.labels.insert(at, label);
    out.of_class.push_back(1 + 2 * (at - out.labels.begin()) + (begins ? 0 : 1));
  }
  if (out.labels.empty())
    return Error{
        "lacks the labels of its head (label.0 and so on in model.safetensors, or id2label in "
        "config.json), so that it is not a model of token classification"};
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

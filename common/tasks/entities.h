// Entities in tagged words, and the comparison of two taggings of a sentence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace sotto::tasks {

/// Words begin .. end - 1 of a sentence.
struct Entity {
  std::size_t begin = 0, end = 0;
  std::size_t label = 0;  // index into the job's labels

  bool operator==(const Entity&) const = default;
};

/// Returns the entities of a sentence, ascending. `tags` are indexes in a job's classes(): 0 for O,
/// then B and I of each label. As in conlleval of the CoNLL shared tasks, an I that follows no
/// entity, or an entity of another label, begins one.
std::vector<Entity> entities_of(std::span<const std::int64_t> tags);

/// The classes of a head for tags, in any order.
struct TagClasses {
  std::vector<std::string> labels;     // the kinds of entities
  std::vector<std::int64_t> of_class;  // the tag of each class, numbered as in entities_of()
};

/// Reads the classes of a head from their names. The Error names a class that is not a tag of IOB2;
/// it is also an Error if there is no kind of entity.
Result<TagClasses> tag_classes(const std::vector<std::string>& names);

/// The counts of one label over sentences. An entity is found when its words and its label are all
/// right.
struct EntityCounts {
  std::uint64_t found = 0;   // true positives
  std::uint64_t wrong = 0;   // predicted and not present: false positives
  std::uint64_t missed = 0;  // present and not predicted: false negatives
};

/// Adds a sentence to the counts, one for each label. `said` are the predicted and `right` the true
/// tags of the same words.
void count_entities(std::span<const std::int64_t> predicted, std::span<const std::int64_t> right,
                    std::span<EntityCounts> counts);

}  // namespace sotto::tasks

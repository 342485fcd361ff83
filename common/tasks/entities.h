// Entities in tagged words, and how two readings of a sentence are compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sotto::tasks {

/// Words begin .. end - 1 of a sentence.
struct Entity {
  std::size_t begin = 0, end = 0;
  std::size_t label = 0;  // index into the job's labels

  bool operator==(const Entity&) const = default;
};

/// What tags say, which are indexes into a job's classes(): 0 for O, then B and I of each label. As
/// the CoNLL shared tasks' conlleval has it, an I that goes on with nothing, or with an entity of
/// another label, begins one. Ascending.
std::vector<Entity> entities_of(std::span<const std::int64_t> tags);

/// Of one label, over sentences: an entity is found when its words and its label are all right.
struct EntityCounts {
  std::uint64_t found = 0;   // true positives
  std::uint64_t wrong = 0;   // said and not there: false positives
  std::uint64_t missed = 0;  // there and not said: false negatives
};

/// Adds a sentence to the counts, one of each label; `said` and `right` are tags of the same words.
void count_entities(std::span<const std::int64_t> said, std::span<const std::int64_t> right,
                    std::span<EntityCounts> counts);

}  // namespace sotto::tasks

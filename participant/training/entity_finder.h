// EntityFinder finds named entities with a model for token classification.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::training {

/// Bytes [begin, end) of a text. Both are word boundaries.
struct TextEntity {
  std::size_t begin = 0, end = 0;
  std::string label;

  bool operator==(const TextEntity&) const = default;
};

/// Use from one thread at a time.
class EntityFinder {
 public:
  virtual ~EntityFinder() = default;

  /// The labels of entities, such as PER and LOC.
  [[nodiscard]] virtual const std::vector<std::string>& labels() const = 0;

  /// Returns the entities of a text in order, without overlaps. A text is divided into words by
  /// text::words_of(). It is read in overlapping windows if it is longer than the model's
  /// positions. An Error if the model's output is not finite. `text` is UTF-8.
  virtual Result<std::vector<TextEntity>> find(std::string_view text) = 0;
};

}  // namespace sotto::training

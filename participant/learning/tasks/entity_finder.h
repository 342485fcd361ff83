// A model of token classification that finds entities in running texts. Nothing here names torch.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::learning {

/// Bytes [begin, end) of a text, from the beginning of a word to the end of one.
struct TextEntity {
  std::size_t begin = 0, end = 0;
  std::string label;

  bool operator==(const TextEntity&) const = default;
};

/// One thread.
class EntityFinder {
 public:
  /// A folder in Hugging Face's layout: config.json, whole weights with their head, tokenizer. What
  /// the head tells apart, in IOB2, stands in the weights' file as a run leaves it ("label.0"), or
  /// else in config.json's id2label. An Error names the file and what is wrong with it.
  static Result<std::unique_ptr<EntityFinder>> open(const std::filesystem::path& folder);
  virtual ~EntityFinder() = default;

  /// PER, LOC ...: what entities are called.
  [[nodiscard]] virtual const std::vector<std::string>& labels() const = 0;

  /// In order, none overlapping. A text is cut into words as text::words_of() has it, and is read
  /// in overlapping windows when it is longer than the model's positions. An Error when the model's
  /// answer is not finite. `text` is UTF-8.
  virtual Result<std::vector<TextEntity>> find(std::string_view text) = 0;
};

}  // namespace sotto::learning

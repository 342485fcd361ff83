// A language model that goes on with a text, piece by piece. Nothing here names torch. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "participant/learning/tasks/sampling.h"

namespace sotto::learning {

struct GenerationSettings {
  std::uint32_t max_new_tokens = 256;
  Sampling sampling{};
};

class TextGenerator {
 public:
  /// A folder in Hugging Face's layout: config.json of a causal model, its whole weights, its
  /// tokenizer. An Error names the file and what is wrong with it.
  static Result<std::unique_ptr<TextGenerator>> open(const std::filesystem::path& folder);
  virtual ~TextGenerator() = default;

  /// Reads the prompt, behind the token that the tokenizer puts before a text; what was generated
  /// before is forgotten. An Error when it is longer than the model's positions, or no token at
  /// all.
  virtual Status start(std::string_view prompt, const GenerationSettings& settings) = 0;
  /// What one more token adds to the text, empty while a character is incomplete; nothing at the
  /// end: the model's end token, max_new_tokens, or its last position.
  virtual Result<std::optional<std::string>> next(crypto::StreamRandom& random) = 0;

  /// Tokens since start().
  [[nodiscard]] virtual std::uint32_t generated() const = 0;
};

}  // namespace sotto::learning

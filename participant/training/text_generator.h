// TextGenerator generates text with a causal language model, one token at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/crypto/secure_random.h"

namespace sotto::training {

struct Sampling {
  double temperature = 0;   // divides the logits; 0 takes the most probable token
  std::uint32_t top_k = 0;  // draws from this many most probable tokens; 0: from all
  double top_p = 1;         // draws from the fewest most probable tokens whose probabilities add up
                            // to this (Holtzman et al. 2020, arXiv 1904.09751), in (0, 1]
};

struct GenerationSettings {
  std::uint32_t max_new_tokens = 256;
  Sampling sampling{};
};

/// Use from one thread at a time.
class TextGenerator {
 public:
  virtual ~TextGenerator() = default;

  /// Reads the prompt, after the token that the tokenizer puts before a text, and discards what was
  /// generated before. An Error if the prompt is longer than the model's positions or has no token.
  virtual Status start(std::string_view prompt, const GenerationSettings& settings) = 0;

  /// Generates one token and returns the text that it adds, empty while a character is incomplete.
  /// Returns no value at the end: after the model's end token, after max_new_tokens, or at the
  /// model's last position.
  virtual Result<std::optional<std::string>> next(crypto::StreamRandom& random) = 0;

  /// The number of tokens since start().
  [[nodiscard]] virtual std::uint32_t generated() const = 0;
};

}  // namespace sotto::training

// Computes the logits of words with a model for token classification, whatever the length of their
// texts. Use from one thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "participant/learning/transformer/transformer_torch.h"
#include "participant/text/tokenizer.h"

namespace sotto::learning {

/// The most tokens of a window where nothing says otherwise. The cost of attention grows with the
/// square of a window.
inline constexpr std::size_t kLargestWindow = 512;

/// The referenced objects outlive the computation.
struct WordModel {
  const Transformer& model;
  const text::Tokenizer& tokenizer;
  std::size_t room;   // ids of a window in addition to its frame, at least 1
  std::size_t batch;  // most windows that are computed at once, at least 1
};

/// Returns the logits of each word of each text at its first piece; empty for a word without a
/// piece. The texts are encoded without a limit. A text longer than the room is read in the windows
/// of windows_of(). An Error if the output of the model is not finite. Use inside a NoGradGuard;
/// passes on what torch throws.
Result<std::vector<std::vector<std::vector<float>>>> word_logits(
    const WordModel& plan, std::span<const text::TokenizedWords> texts);

}  // namespace sotto::learning

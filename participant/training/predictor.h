// Predictor answers texts with a trained model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/saved_task.h"

namespace sotto::training {

/// Which model to open, and how.
struct PredictorPlan {
  /// Hugging Face's layout: config.json, the weights with their head, the tokenizer; or an adapter
  /// in PEFT's layout.
  std::filesystem::path folder;
  std::filesystem::path base{};  // the folder of an adapter's base model; empty: `folder`
  std::string task{};            // a value of task.type; empty: as the folder says
  /// The most tokens of a text that the model reads; 0: model_max_length of tokenizer_config.json,
  /// or else the positions of the model.
  std::uint64_t max_length = 0;
};

/// Bytes [begin, end) of a text.
struct WordRange {
  std::size_t begin = 0, end = 0;
};

struct PredictionInput {
  std::string text{};  // UTF-8
  /// The words that are tagged, ascending; empty: those of text::words_of(). Other tasks than token
  /// classification ignore them.
  std::vector<WordRange> words{};
};

struct WordPrediction {
  WordRange place;
  std::vector<float> logits{};  // one for each class; empty for a word of which no token is left
};

/// The model's answer to one text. Which fields are set depends on the task.
struct Prediction {
  /// The tokens that the model read, with the frame. Empty if the text has no token; the other
  /// fields are then empty too.
  std::vector<std::int32_t> ids{};
  bool cut = false;                        // the text has more tokens than the model reads
  std::vector<float> logits{};             // classification and regression: one for each output
  std::vector<WordPrediction> words{};     // token classification
  std::vector<float> log_probabilities{};  // language model: of each token but the first, given
                                           // those before it (natural logarithms)
  std::uint64_t correct = 0;               // language model: tokens that were the most likely
};

/// Use from one thread at a time.
class Predictor {
 public:
  virtual ~Predictor() = default;

  [[nodiscard]] virtual const SavedTask& task() const = 0;
  [[nodiscard]] virtual std::uint64_t max_length() const = 0;

  /// Answers texts, at most `batch` >= 1 at once, and returns the answers in the order of the
  /// texts. Texts of similar length are computed together, so that a call with many texts is faster
  /// than many calls. Token classification reads a text that is longer than max_length() in
  /// overlapping windows; the other tasks cut it. An Error if the model's output is not finite or
  /// the memory is not enough.
  virtual Result<std::vector<Prediction>> predict(std::span<const PredictionInput> texts,
                                                  std::size_t batch) = 0;
};

}  // namespace sotto::training

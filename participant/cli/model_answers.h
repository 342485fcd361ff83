// What the predictions of a trained model mean: probabilities, labels, entities.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/cli/command.h"
#include "common/tasks/entities.h"
#include "participant/cli/text_input.h"
#include "participant/training/model_provider.h"

namespace sotto::participant {

/// Returns the folder of a model, which is `folder` itself, or for the result of a run the folder
/// "model" in it.
std::string model_folder(const std::string& folder);

/// The options of the commands that compute with a trained model.
struct ModelOptions {
  training::PredictorPlan plan;
  std::string folder, base;
  std::uint32_t batch = 32;
  std::uint32_t threads = 0;  // 0: one for each processor
};

void add_model_options(cli::Command& command, ModelOptions& options);

/// Opens the model with the learning library. Throws StartupError.
std::unique_ptr<training::Predictor> open_model(const ModelOptions& options);

/// Return a number with this many digits behind the point, and with this many significant digits.
std::string fixed_text(double value, int digits);
std::string short_text(double value, int digits);

/// Returns softmax(logits), or with `multi_label` the sigmoid of each.
std::vector<double> probabilities_of(std::span<const float> logits, bool multi_label = false);

/// Returns the index of the largest value, of equal ones the first.
std::size_t largest(std::span<const float> values);

/// An entity in a text.
struct FoundEntity {
  std::size_t begin = 0, end = 0;  // characters (code points) of the text
  std::string text, label;
  double probability = 0;  // mean over the words of the probability of the word's tag
};

/// Returns the tag of each word, numbered as in tasks::entities_of().
std::vector<std::int64_t> tags_of(const training::Prediction& prediction,
                                  const tasks::TagClasses& classes);

std::vector<FoundEntity> entities_in(const std::string& text,
                                     const training::Prediction& prediction,
                                     const tasks::TagClasses& classes);

/// Reads texts in windows, answers them and passes them on in their order, with a progress bar on
/// the terminal if `shows_progress`. At the end it reports on standard error how many texts were
/// cut. Throws StartupError for a text without a token.
class Answering {
 public:
  Answering(training::Predictor& model, TextInput& input, std::uint32_t batch, bool shows_progress)
      : model_(model), input_(input), batch_(batch), shows_progress_(shows_progress) {}

  virtual ~Answering() = default;
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  void run();

 protected:
  /// `index` counts from 0.
  virtual void take(std::uint64_t index, const InputText& text,
                    const training::Prediction& prediction) = 0;

 private:
  std::vector<InputText> read_window();

  training::Predictor& model_;
  TextInput& input_;
  std::uint32_t batch_;
  bool shows_progress_;
  std::uint64_t done_ = 0, cut_ = 0;
};

}  // namespace sotto::participant

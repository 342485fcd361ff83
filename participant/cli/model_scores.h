// The figures of a trained model on labelled texts. They are those of an evaluation in a run
// (common/tasks), and more that a site may see of its own examples: the scores of each label, the
// confusion matrix, the error of a regression.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/saved_task.h"
#include "participant/cli/text_input.h"
#include "participant/data/import.h"
#include "participant/training/predictor.h"

namespace sotto::participant {

/// Use from one thread.
class ModelScores {
 public:
  virtual ~ModelScores() = default;

  /// The format of a file of examples that is no table.
  [[nodiscard]] virtual data::Format usual_format() const = 0;
  /// The labels that the model has; empty where an example needs none of them.
  [[nodiscard]] virtual std::vector<std::string> labels() const = 0;

  /// Counts an example. An Error where its label or the model's answer does not fit the task.
  virtual Status add(const InputText& text, const training::Prediction& prediction) = 0;

  /// Returns the figures as a JSON object in a line.
  [[nodiscard]] virtual std::string object() const = 0;
  /// Returns the figures as a table for people.
  [[nodiscard]] virtual std::string table() const = 0;
};

/// Returns an Error for a model whose texts have several labels.
Result<std::unique_ptr<ModelScores>> make_scores(const SavedTask& task);

}  // namespace sotto::participant

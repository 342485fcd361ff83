// Reads from the folder of a trained model, in Hugging Face's layout, what the model is for: its
// task, the names of its outputs and the length of the texts that it reads. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/model/weight_files.h"

namespace sotto {

/// The task of a trained model.
struct SavedTask {
  std::string type;  // a value of task.type in job.json
  /// The names of the head's outputs in their order. Empty for a language model; a regression has
  /// one.
  std::vector<std::string> classes{};
  /// A text may have several of the classes, each with a probability of its own (problem_type
  /// "multi_label_classification").
  bool multi_label = false;
};

/// SavedHead is what the weights of a model tell about its head.
struct SavedHead {
  std::optional<std::int64_t> outputs{};          // none: there is no classification head
  std::map<std::string, std::string> metadata{};  // of the weights file
};

SavedHead saved_head(const WeightFiles& weights);

/// Returns the names of the outputs: "label.0", "label.1" ... of the metadata, as a run saves them,
/// or else id2label in config.json; empty where neither has any.
std::vector<std::string> saved_classes(const std::filesystem::path& folder,
                                       const std::map<std::string, std::string>& metadata);

/// Returns the task of the model in `folder`. `requested` is a value of task.type, or empty to take
/// the task from `architectures` in config.json, or else from the metadata of the weights. As in
/// Hugging Face's library, a classification head without names has the classes LABEL_0, LABEL_1 and
/// so on, and one output is a regression. Errors, which name the folder: no task can be told, the
/// head is missing, or config.json names another number of outputs than the head has.
Result<SavedTask> saved_task(const std::filesystem::path& folder, const SavedHead& head,
                             std::string_view requested);

/// Returns model_max_length of tokenizer_config.json; nothing where the file or the key is missing,
/// or where the number is so large that it stands for no limit. An Error if the file is not JSON.
Result<std::optional<std::uint64_t>> saved_max_length(const std::filesystem::path& folder);

/// Returns the number of positions of a model by its config.json (max_position_embeddings or
/// n_positions); nothing where the file or the key is missing. An Error if the file is not JSON.
Result<std::optional<std::uint64_t>> saved_positions(const std::filesystem::path& folder);

}  // namespace sotto

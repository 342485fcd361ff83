// The JSON files of a saved model, so that Hugging Face's library loads the folder as what it is.
#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/config/job.h"

namespace sotto::job {

/// A class that a saved model brings along, because the library has none: BERT whose classifier
/// reads the mean over a text's tokens ("classifier_pooling": "mean").
inline constexpr const char* kOwnModule = "modeling_sotto.py";

struct SavedConfig {
  std::string text;         // of config.json
  bool own_module = false;  // the class is in kOwnModule
  std::string base_model;   // the name of the base model on a model hub; empty when not known
};

/// Returns the config.json of a model that the job made: that of its model folder with the class,
/// the labels and the problem of the job's task and the type of the saved weights (float32), and
/// without places on a machine. The Error names the file.
Result<SavedConfig> saved_config(const config::JobConfig& job);

/// Returns its tokenizer_config.json: that of the model folder without places on a machine, or one
/// for the folder's vocabulary, in which the library would otherwise take the defaults of another
/// model; with the job's max_length as the longest text. The Error names the file.
Result<std::string> saved_tokenizer_config(const config::JobConfig& job);

/// Returns the text of kOwnModule.
std::string_view own_module();

}  // namespace sotto::job

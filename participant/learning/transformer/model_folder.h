// ModelFolder holds a whole model as read from a folder: shape, weights and tokenizer. Includes no
// torch header.
#pragma once

#include <filesystem>

#include "common/base/result.h"
#include "common/model/flat_parameters.h"
#include "participant/learning/transformer/model_modules.h"
#include "participant/text/tokenizer.h"

namespace sotto::learning {

struct ModelFolder {
  ModelSpec spec;
  ModelModules modules;
  text::Tokenizer tokenizer;
  FlatParameters weights;
};

/// Opens the model with this head, which may be new (see with_pretrained). Errors name the folder
/// or the file, and what is wrong with it.
Result<ModelFolder> open_model_folder(const std::filesystem::path& folder, const ModelHead& head);

/// Returns an Error, which names the folder, if the tokenizer has more tokens than the model.
Status check_vocabulary(const text::Tokenizer& tokenizer, const TransformerConfig& config,
                        const std::filesystem::path& folder);

}  // namespace sotto::learning

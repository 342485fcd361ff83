// A finished model in the layout that other tools load: model.safetensors, config.json, vocab.txt.
#pragma once

#include <filesystem>

#include "common/model/flat_parameters.h"

namespace sotto::coordinator {

/// `source` holds the config.json and vocab.txt that belong to the model.
Status save_model_folder(const std::filesystem::path& folder, const std::filesystem::path& source,
                         const FlatParameters& model);

}  // namespace sotto::coordinator

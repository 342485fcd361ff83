// Reading and writing the models of a run: a folder in Hugging Face's layout; with LoRA an adapter
// in PEFT's layout (adapter_config.json, adapter_model.safetensors).
#pragma once

#include <filesystem>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/model/flat_parameters.h"

namespace sotto::job {

inline constexpr const char* kAdapterFile = "adapter_model.safetensors";

/// Saves the parameters that the job trained, with config.json and the tokenizer's files from the
/// job's model folder. The Error names the file that cannot be copied or written.
Status save_model(const std::filesystem::path& folder, const config::JobConfig& job,
                  const FlatParameters& parameters);

/// Copies the files of the weights that LoRA does not change, which every site needs beside the
/// job.
Status copy_base_weights(const std::filesystem::path& folder, const config::JobConfig& job);

/// Reads the parameters of a file that save_model wrote, with the names that the job uses.
Result<FlatParameters> load_parameters(const std::filesystem::path& file);

/// Returns the job's base model with the adapters of `parameters` added to its weights, and with
/// the trained head, so that loading it does not need PEFT. Tensors are in the order of their
/// names, as the base model spells them. Errors: there are no base weights, or an adapter fits no
/// weight (the message has both shapes).
Result<FlatParameters> merged_model(const config::JobConfig& job, const FlatParameters& parameters);

/// Saves a merged model as a folder.
Status save_merged(const std::filesystem::path& folder, const config::JobConfig& job,
                   const FlatParameters& merged);

}  // namespace sotto::job

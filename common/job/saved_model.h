// What a run leaves for others to load, and what it starts from: a folder in Hugging Face's layout;
// with LoRA an adapter as PEFT has it (adapter_config.json, adapter_model.safetensors).
#pragma once

#include <filesystem>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/model/flat_parameters.h"

namespace sotto::run {

inline constexpr const char* kAdapterFile = "adapter_model.safetensors";

/// The parameters that the job trained, with config.json and the tokenizer's file from the job's
/// model folder. An Error names the file that cannot be copied or written.
Status save_model(const std::filesystem::path& folder, const config::JobConfig& job,
                  const FlatParameters& parameters);

/// The weights that LoRA leaves alone, as the files are: what every site needs beside the job.
Status copy_base_weights(const std::filesystem::path& folder, const config::JobConfig& job);

/// The parameters of a file that save_model wrote, named as the job has them.
Result<FlatParameters> load_parameters(const std::filesystem::path& file);

/// The job's base model with the adapters of `parameters` added into its weights, and a trained
/// head beside them: a model that needs no PEFT. In the order of the names, as the base spells
/// them. Errors: no base weights, an adapter that fits no weight (names both shapes).
Result<FlatParameters> merged_model(const config::JobConfig& job, const FlatParameters& parameters);

/// A merged model as a folder.
Status save_merged(const std::filesystem::path& folder, const config::JobConfig& job,
                   const FlatParameters& merged);

}  // namespace sotto::run

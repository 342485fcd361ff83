// Reading and writing the models of a run: a folder in Hugging Face's layout; with LoRA an adapter
// in PEFT's layout (adapter_config.json, adapter_model.safetensors).
#pragma once

#include <filesystem>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/job/model_card.h"
#include "common/model/flat_parameters.h"
#include "common/model/lora_adapter.h"

namespace sotto::job {

inline constexpr const char* kAdapterFile = kAdapterWeights;

/// Saves the parameters that a run of the job begins with, beside copies of the files that describe
/// the model in the job's model folder: their hashes are those in the job, so that the folder can
/// be distributed to the sites. The Error names the file that cannot be copied or written.
Status save_initial_model(const std::filesystem::path& folder, const config::JobConfig& job,
                          const FlatParameters& parameters);

/// Saves the parameters that a run made as a folder that Hugging Face's library loads as what it
/// is: with the tokenizer's files, config.json and tokenizer_config.json as in saved_config.h, and
/// a model card with the facts of the run.
Status save_model(const std::filesystem::path& folder, const config::JobConfig& job,
                  const FlatParameters& parameters, const RunFacts& run);

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

/// Saves a merged model in the same way; the facts of the run are those in the card of the
/// `adapter` folder.
Status save_merged(const std::filesystem::path& folder, const config::JobConfig& job,
                   const FlatParameters& merged, const std::filesystem::path& adapter);

}  // namespace sotto::job

// Reads a LoRA adapter in PEFT's layout (adapter_config.json, adapter_model.safetensors) and adds
// it to the weights that it adapts. Any thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/flat_parameters.h"
#include "common/model/saved_task.h"

namespace sotto {

inline constexpr const char* kAdapterWeights = "adapter_model.safetensors";

/// LoraAdapter holds a trained adapter. Its parameters have the names of the base model followed by
/// ".lora_A.weight" and ".lora_B.weight"; others, such as those of a new head, replace the base
/// model's whole.
struct LoraAdapter {
  FlatParameters parameters;
  double scale = 1;     // of the product of B and A
  bool in_out = false;  // the adapted weights are stored [in, out] instead of [out, in]
};

/// Returns whether a folder holds an adapter.
bool has_adapter(const std::filesystem::path& folder);

/// An adapter as read from a folder.
struct SavedAdapter {
  LoraAdapter adapter;
  SavedHead head;
  std::string base_name;  // base_model_name_or_path, for messages
};

/// Reads an adapter. Errors, which name file and key: a file is missing or malformed, or the
/// adapter is of a kind that this program cannot add (DoRA, patterns of ranks, embeddings).
Result<SavedAdapter> read_adapter(const std::filesystem::path& folder);

/// Returns the tensors of a base model by name. Fails for a tensor of a type that holds no floats,
/// unless it is a constant that older versions of Hugging Face's library saved beside the weights.
Result<FlatParameters> base_parameters(const std::filesystem::path& folder);

/// Returns the base model's parameters with the adapter added, in the order of their names as the
/// base model spells them (with or without the family's prefix). Errors: an adapter fits no weight
/// (the message has both shapes), or a parameter of the adapter is neither a head nor one of the
/// base model.
Result<FlatParameters> with_adapter(FlatParameters base, const LoraAdapter& adapter);

}  // namespace sotto

// Writes a trained model as one folder that other programs load: the whole weights in one file, an
// adapter added to them, config.json and the tokenizer's files.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/result.h"
#include "common/model/safetensors.h"

namespace sotto::job {

struct ExportPlan {
  std::filesystem::path model;   // a folder with the whole weights, or with an adapter
  std::filesystem::path base{};  // the base model of an adapter; empty: `model` has its weights too
  std::filesystem::path out;     // a folder that does not exist or is empty
  FloatType type = FloatType::kFloat32;
};

struct ExportedModel {
  std::uint64_t values = 0;
  bool merged = false;  // an adapter was added
};

/// Writes the folder `out`, model.safetensors last, so that a folder with weights is complete.
/// config.json gets the type as "dtype", and as "torch_dtype" where it has that key of earlier
/// versions of Hugging Face's library. Errors, which name the file or the folder: `out` holds files
/// already, an adapter lacks its base model, a weight is of a type that holds no floats, or a value
/// does not fit the type.
Result<ExportedModel> export_model(const ExportPlan& plan);

}  // namespace sotto::job

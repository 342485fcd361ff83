// Reads the weights of a job's model from a checkpoint. Includes no torch header.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/flat_parameters.h"
#include "participant/learning/transformer/model_modules.h"

namespace sotto::learning {

/// What becomes of the head that a checkpoint may have. Without a job it is taken as it is.
struct HeadTransfer {
  bool of_job = false;
  bool fresh = false;  // it is not taken: the head keeps the values of `parameters`
  /// The classes of the job's head in the order of its outputs, by which the outputs of the
  /// checkpoint's head are taken (common/config/head_labels.h); empty when they are not classes.
  std::vector<std::string> classes{};
};

/// Overwrites the values of `parameters` with those of the checkpoint in `folder`. Names are found
/// with and without the family's prefix (bert., transformer., model.). A classification head and
/// BERT's pooler may be missing, because a pretrained model does not have them. Errors, which name
/// the tensor: any other missing tensor, a tensor of another shape (with both shapes), and a tensor
/// inside the layers that this model does not use; also weights that cannot be read
/// (weight_file_names), and a head with other classes.
Result<FlatParameters> with_pretrained(FlatParameters parameters, const ModelModules& modules,
                                       const std::filesystem::path& folder,
                                       const HeadTransfer& transfer = {});

/// Returns the frozen parameters of a LoRA job, all from the checkpoint in `folder`.
Result<FlatParameters> frozen_parameters(const ModelSpec& spec, const ModelModules& modules,
                                         const std::filesystem::path& folder);

}  // namespace sotto::learning

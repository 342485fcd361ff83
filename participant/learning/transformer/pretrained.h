// What a model folder's checkpoint gives to a model of this job. No torch here.
#pragma once

#include <filesystem>
#include <vector>

#include "common/base/result.h"
#include "common/model/flat_parameters.h"
#include "participant/learning/transformer/model_modules.h"

namespace sotto::learning {

/// Overwrites the values of `parameters` with those of the checkpoint in `folder`; names count with
/// and without the family's prefix (bert., transformer., model.). A classification head and BERT's
/// pooler may be missing, as a pretrained model does not have them; anything else missing, a tensor
/// of another shape (both shapes are said) and a tensor inside the layers that this model has no
/// place for are Errors that name it.
Result<FlatParameters> with_pretrained(FlatParameters parameters, const ModelModules& modules,
                                       const std::filesystem::path& folder);

/// The frozen parameters of a LoRA job, all from the checkpoint in `folder`.
Result<FlatParameters> frozen_parameters(const ModelSpec& spec, const ModelModules& modules,
                                         const std::filesystem::path& folder);

}  // namespace sotto::learning

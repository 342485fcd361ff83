// The spellings of a parameter's name in checkpoints.
#pragma once

#include <string>
#include <string_view>

#include "common/model/weight_files.h"

namespace sotto {

/// Returns the name without the prefix of its family ("bert.", "transformer.", "model.").
std::string_view without_prefix(std::string_view name);

/// Returns the name of a parameter in Google's first BERT checkpoints, which call the two
/// parameters of a norm gamma and beta.
std::string older_name(std::string name);

/// Returns the tensor of a parameter under any of its spellings; null when there is none.
const TensorView* find_parameter(const WeightFiles& checkpoint, const std::string& name);

}  // namespace sotto

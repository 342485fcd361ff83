// Weights in formats that are not read here, and what to do with each.
#pragma once

#include <filesystem>
#include <string>

namespace sotto {

/// Returns which file of a folder without model.safetensors and its index holds weights that cannot
/// be read, and how to convert them: "pytorch_model.bin: ...". Empty when the folder holds none.
std::string unreadable_weights(const std::filesystem::path& folder);

}  // namespace sotto

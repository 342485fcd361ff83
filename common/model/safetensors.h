// The safetensors file format: read checked, written atomically (temporary file, fsync, rename).
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "common/model/flat_parameters.h"

namespace sotto {

/// Reads an F32 file whole. Every malformed file is an Error naming the tensor or the field; no
/// allocation beyond the file's size.
Result<FlatParameters> read_safetensors(const std::filesystem::path& file);
Status write_safetensors(const std::filesystem::path& file, const FlatParameters& parameters,
                         const std::map<std::string, std::string>& metadata);

}  // namespace sotto

// The safetensors file format: a length, a JSON header, the data; huggingface.co/docs/safetensors.
// Files are parsed without copying and written atomically (temporary file, fsync, rename).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/model/flat_parameters.h"

namespace sotto {

/// A view of a tensor in a file's bytes; it is valid as long as they are.
struct TensorView {
  std::string name;
  std::string dtype;                // as the format spells it: "F32", "BF16", "I64" ...
  std::vector<std::int64_t> shape;  // row-major
  BytesView data;                   // little-endian, with any alignment
};

/// Returns the tensors of a whole file in the order of its data. Fails for every malformed file;
/// the Error names the tensor or the field. The allocated memory is bounded by the header's size.
Result<std::vector<TensorView>> parse_safetensors(BytesView file);

/// Returns the metadata of the file (`__metadata__`); empty when there are none.
Result<std::map<std::string, std::string>> safetensors_metadata(BytesView file);

/// Returns a tensor's values. F32, F16 and BF16 are converted without loss. Fails for other types;
/// the Error names tensor and type.
Result<std::vector<float>> floats_of(const TensorView& tensor);

/// Reads a whole file, in the order of its data. All tensors must be of types that floats_of()
/// accepts.
Result<FlatParameters> read_safetensors(const std::filesystem::path& file);

/// Writes the parameters as F32.
Status write_safetensors(const std::filesystem::path& file, const FlatParameters& parameters,
                         const std::map<std::string, std::string>& metadata);

}  // namespace sotto

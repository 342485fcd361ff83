// The safetensors file format: taken apart without copying, written atomically (temporary file,
// fsync, rename). Format: a length, a JSON header, the data; huggingface.co/docs/safetensors.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/flat_parameters.h"

namespace sotto {

/// A tensor where it lies in a file's bytes; good as long as they are.
struct TensorView {
  std::string name;
  std::string dtype;                // as the format spells it: "F32", "BF16", "I64" ...
  std::vector<std::int64_t> shape;  // row-major
  BytesView data;                   // little-endian, on any address
};

/// The tensors of a whole file in the order of its data. Every malformed file is an Error naming
/// the tensor or the field; nothing is allocated beyond the header's size.
Result<std::vector<TensorView>> parse_safetensors(BytesView file);

/// What the file's writer noted beside the tensors, `__metadata__`; empty where there is nothing.
Result<std::map<std::string, std::string>> safetensors_metadata(BytesView file);

/// A tensor's values. F32, F16 and BF16 convert without loss; every other type is an Error naming
/// tensor and type.
Result<std::vector<float>> floats_of(const TensorView& tensor);

/// A file whose tensors are all of floats, whole, in the order of its data.
Result<FlatParameters> read_safetensors(const std::filesystem::path& file);

/// As F32.
Status write_safetensors(const std::filesystem::path& file, const FlatParameters& parameters,
                         const std::map<std::string, std::string>& metadata);

}  // namespace sotto

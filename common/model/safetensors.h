// The safetensors file format: a length, a JSON header, the data; huggingface.co/docs/safetensors.
// Files are parsed without copying and written atomically (temporary file, fsync, rename).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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

/// The types in which weights are written.
enum class FloatType : std::uint8_t { kFloat32, kBFloat16, kFloat16 };

/// Returns the type named "float32", "bfloat16" or "float16", as in config.json; nothing for other
/// names.
std::optional<FloatType> float_type_named(std::string_view name);
std::string_view name_of(FloatType type);

/// Writes the parameters. For the two smaller types every value is rounded to the nearest one, of
/// two equally near to the even one. The Error names a tensor with a value that is not finite or
/// becomes infinite in the type.
Status write_safetensors(const std::filesystem::path& file, const FlatParameters& parameters,
                         const std::map<std::string, std::string>& metadata,
                         FloatType type = FloatType::kFloat32);

}  // namespace sotto

// A model as everyone but the learning code sees it: named shapes over one flat float vector.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.h"

namespace sotto {

struct ParameterShape {
  std::string name;                 // as in the model's safetensors file
  std::vector<std::int64_t> shape;  // row-major

  [[nodiscard]] std::size_t count() const;
  bool operator==(const ParameterShape&) const = default;
};

/// Parameters lie one after the other in the order of `layout`, row-major float32.
struct FlatParameters {
  std::vector<ParameterShape> layout;
  std::vector<float> values;  // sum of the layout's counts

  /// BLAKE2b-256, label "SOTTO model", over layout and values: the model_hash of a round header.
  [[nodiscard]] Bytes32 hash() const;
};

/// Canonical bytes for the download of a round's model; decode checks every length and refuses
/// non-finite values.
Bytes encode_parameters(const FlatParameters& parameters);
Result<FlatParameters> decode_parameters(BytesView bytes);

}  // namespace sotto

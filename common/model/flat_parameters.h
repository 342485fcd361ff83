// FlatParameters is a model as all code but the learning code uses it: named shapes over one flat
// vector of floats.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"

namespace sotto {

/// The largest number of values of a model. With it no size computed from a shape overflows.
inline constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 40;

/// Returns the product of the extents; nothing when one is negative or the product exceeds
/// kMaxElements.
std::optional<std::uint64_t> element_count(std::span<const std::int64_t> shape);
/// Returns the index of the first NaN or infinity.
std::optional<std::size_t> first_non_finite(std::span<const float> values);
/// Returns a view of the memory of `values` (little-endian IEEE 754).
BytesView bytes_of(std::span<const float> values);

/// The largest magnitude of a value of a model that a site accepts. With larger ones the products
/// of a few layers overflow float32.
inline constexpr float kMaxParameterMagnitude = 1 << 20;

struct ParameterShape {
  std::string name;                 // as in the model's safetensors file
  std::vector<std::int64_t> shape;  // row-major

  /// Returns the number of values. Needs a valid shape, see element_count() (SOTTO_CHECK).
  [[nodiscard]] std::size_t count() const;
  bool operator==(const ParameterShape&) const = default;
};

/// The values of all parameters, one parameter after the other in the order of `layout`, in
/// row-major float32.
struct FlatParameters {
  std::vector<ParameterShape> layout;
  std::vector<float> values;  // sum of the layout's counts

  /// Returns the model_hash of a round header: BLAKE2b-256 with the label "SOTTO model" over layout
  /// and values.
  [[nodiscard]] Bytes32 hash() const;
};

/// Fails when a value is not finite or its magnitude is above kMaxParameterMagnitude. The Error
/// names the parameter, or only the index when the values do not fill the layout.
Status check_values(const FlatParameters& parameters);

/// Returns the canonical bytes for the download of a round's model. decode_parameters() checks
/// every length and rejects values that are not finite.
Bytes encode_parameters(const FlatParameters& parameters);

/// The same bytes in two pieces, of which the large one is not copied.
struct EncodedParameters {
  Bytes head;          // layout and count
  BytesView values{};  // a view of the parameters, which must not change meanwhile

  [[nodiscard]] std::uint64_t size() const { return head.size() + values.size(); }
};

EncodedParameters encode_without_copy(const FlatParameters& parameters);
Result<FlatParameters> decode_parameters(BytesView bytes);

}  // namespace sotto

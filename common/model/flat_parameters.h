// A model as everyone but the learning code sees it: named shapes over one flat float vector.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"

namespace sotto {

/// No model here has more values than this, so that no size computed from a shape overflows.
inline constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 40;

/// The product of the extents; nothing when one is negative or the product passes kMaxElements.
std::optional<std::uint64_t> element_count(std::span<const std::int64_t> shape);
/// The place of the first NaN or infinity.
std::optional<std::size_t> first_non_finite(std::span<const float> values);
/// The memory of `values` (little-endian IEEE 754), not copied.
BytesView bytes_of(std::span<const float> values);

/// The largest magnitude of a value of a model that a site computes with. With larger ones the
/// products of a few layers overflow float32.
inline constexpr float kMaxParameterMagnitude = 1 << 20;

struct ParameterShape {
  std::string name;                 // as in the model's safetensors file
  std::vector<std::int64_t> shape;  // row-major

  /// Needs a valid shape, see element_count().
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

/// An Error that names the parameter of the first value that is not finite or whose magnitude is
/// above kMaxParameterMagnitude. The values fill the layout, or the place alone is named.
Status check_values(const FlatParameters& parameters);

/// Canonical bytes for the download of a round's model; decode checks every length and refuses
/// non-finite values.
Bytes encode_parameters(const FlatParameters& parameters);

/// The same bytes in two pieces, of which the big one is not copied.
struct EncodedParameters {
  Bytes head;          // layout and count
  BytesView values{};  // borrowed from the parameters, which stay as they are meanwhile

  [[nodiscard]] std::uint64_t size() const { return head.size() + values.size(); }
};

EncodedParameters encode_without_copy(const FlatParameters& parameters);
Result<FlatParameters> decode_parameters(BytesView bytes);

}  // namespace sotto

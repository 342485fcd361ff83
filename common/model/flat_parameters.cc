#include "common/model/flat_parameters.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include "common/base/check.h"
#include "common/crypto/hash.h"

// Values are hashed, stored and sent in their memory representation.
static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(float) == 4 && std::numeric_limits<float>::is_iec559);

namespace sotto {

namespace {

constexpr std::uint32_t kMaxTensors = 1U << 16;
constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kMaxDimensions = 8;

Bytes encode_layout(const FlatParameters& parameters) {
  ByteWriter out;
  out.u32(static_cast<std::uint32_t>(parameters.layout.size()));
  for (const ParameterShape& tensor : parameters.layout) {
    out.u16(static_cast<std::uint16_t>(tensor.name.size()));
    out.bytes(view_of(tensor.name));
    out.u8(static_cast<std::uint8_t>(tensor.shape.size()));
    for (const std::int64_t extent : tensor.shape)
      out.u64(static_cast<std::uint64_t>(extent));
  }
  out.u64(parameters.values.size());
  return out.take();
}

Result<ParameterShape> decode_shape(ByteReader& in) {
  ParameterShape tensor;
  const std::size_t name_bytes = in.u16();
  if (name_bytes > kMaxNameBytes) return Error{"a tensor name is longer than 1024 bytes"};
  const BytesView name = in.bytes(name_bytes);
  tensor.name.assign(name.begin(), name.end());
  const std::size_t dimensions = in.u8();
  if (dimensions > kMaxDimensions) return Error{"a tensor has more than 8 dimensions"};
  for (std::size_t i = 0; i < dimensions; ++i)
    tensor.shape.push_back(static_cast<std::int64_t>(in.u64()));
  if (!in.ok()) return Error{"the layout of the parameters is cut short"};
  if (!element_count(tensor.shape)) return Error{"the shape of a tensor is negative or too large"};
  return tensor;
}

/// Reads the layout and returns the number of values that it describes.
Result<std::uint64_t> decode_layout(ByteReader& in, std::vector<ParameterShape>& layout) {
  const std::uint32_t tensors = in.u32();
  if (tensors > kMaxTensors) return Error{"more than 65536 tensors"};
  std::set<std::string> names;
  std::uint64_t total = 0;
  for (std::uint32_t i = 0; i < tensors; ++i) {
    SOTTO_ASSIGN_OR_RETURN(ParameterShape tensor, decode_shape(in));
    if (!names.insert(tensor.name).second) return Error{"two tensors have the same name"};
    total += tensor.count();
    if (total > kMaxElements) return Error{"the parameters are too many"};
    layout.push_back(std::move(tensor));
  }
  return total;
}

}  // namespace

std::optional<std::uint64_t> element_count(std::span<const std::int64_t> shape) {
  std::uint64_t count = 1;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    const auto size = static_cast<std::uint64_t>(extent);
    if (size == 0) {
      empty = true;
    } else if (size > kMaxElements / count) {
      return std::nullopt;
    } else {
      count *= size;
    }
  }
  return empty ? 0 : count;
}

std::optional<std::size_t> first_non_finite(std::span<const float> values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) return i;
  return std::nullopt;
}

BytesView bytes_of(std::span<const float> values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), 4 * values.size()};
}

std::size_t ParameterShape::count() const {
  const std::optional<std::uint64_t> elements = element_count(shape);
  SOTTO_CHECK(elements.has_value(), "a shape that no file or message can bring in");
  return *elements;
}

Bytes32 FlatParameters::hash() const {
  return crypto::hash("SOTTO model", {encode_layout(*this), bytes_of(values)});
}

Status check_values(const FlatParameters& parameters) {
  const auto bad = std::ranges::find_if_not(
      parameters.values, [](float v) { return std::abs(v) <= kMaxParameterMagnitude; });
  if (bad == parameters.values.end()) return {};
  const auto place = static_cast<std::uint64_t>(bad - parameters.values.begin());
  std::string where = "value " + std::to_string(place);
  std::uint64_t end = 0;
  for (const ParameterShape& p : parameters.layout) {
    end += element_count(p.shape).value_or(0);
    if (place >= end) continue;
    where = "a value of " + p.name;
    break;
  }
  return Error{where + (std::isfinite(*bad) ? " has a magnitude above 2^20" : " is not finite")};
}

EncodedParameters encode_without_copy(const FlatParameters& parameters) {
  return {.head = encode_layout(parameters), .values = bytes_of(parameters.values)};
}

Bytes encode_parameters(const FlatParameters& parameters) {
  const EncodedParameters encoded = encode_without_copy(parameters);
  ByteWriter out;
  out.reserve(encoded.size());
  out.bytes(encoded.head);
  out.bytes(encoded.values);
  return out.take();
}

Result<FlatParameters> decode_parameters(BytesView bytes) {
  ByteReader in(bytes);
  FlatParameters out;
  SOTTO_ASSIGN_OR_RETURN(const std::uint64_t described, decode_layout(in, out.layout));
  const std::uint64_t count = in.u64();
  if (!in.ok() || count != described) return Error{"the values do not fit the layout"};
  if (in.remaining() != 4 * count)
    return Error{"the parameters have " + std::to_string(in.remaining()) +
                 " bytes of values, not " + std::to_string(4 * count)};
  out.values.resize(count);
  if (count > 0) std::memcpy(out.values.data(), in.bytes(4 * count).data(), 4 * count);
  if (const auto at = first_non_finite(out.values))
    return Error{"value " + std::to_string(*at) + " of the parameters is not finite"};
  return out;
}

}  // namespace sotto

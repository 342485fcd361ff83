// Byte strings, and the little-endian codec that all wire, hash and file formats of this project
// use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "common/base/result.h"

namespace sotto {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;
using Bytes32 = std::array<std::uint8_t, 32>;
using Bytes64 = std::array<std::uint8_t, 64>;

/// Returns the bytes of `text` without copying them. The view is valid while `text` is.
BytesView view_of(std::string_view text);

/// Returns the bytes that `object` consists of.
template <class T>
std::span<std::uint8_t> raw_bytes(T& object) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<std::uint8_t*>(&object), sizeof object};
}

std::string to_hex(BytesView bytes);
/// Fails on odd length or a character outside [0-9a-fA-F].
Result<Bytes> from_hex(std::string_view hex);

/// ByteWriter appends fixed-width little-endian integers and byte strings. No call can fail.
class ByteWriter {
 public:
  ByteWriter& u8(std::uint8_t v) { return little_endian(v, 1); }

  ByteWriter& u16(std::uint16_t v) { return little_endian(v, 2); }

  ByteWriter& u32(std::uint32_t v) { return little_endian(v, 4); }

  ByteWriter& u64(std::uint64_t v) { return little_endian(v, 8); }

  ByteWriter& bytes(BytesView v) {
    out_.insert(out_.end(), v.begin(), v.end());
    return *this;
  }

  void reserve(std::size_t n) { out_.reserve(n); }

  [[nodiscard]] std::size_t size() const { return out_.size(); }

  [[nodiscard]] const Bytes& view() const { return out_; }

  [[nodiscard]] Bytes take() { return std::move(out_); }

 private:
  ByteWriter& little_endian(std::uint64_t v, int width) {
    for (int i = 0; i < width; ++i)
      out_.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
    return *this;
  }

  Bytes out_;
};

/// ByteReader reads what ByteWriter wrote. A read past the end returns zeros and makes ok() false
/// permanently, so that a decoder can read all its fields and check once.
class ByteReader {
 public:
  explicit ByteReader(BytesView in) : in_(in) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(little_endian(1)); }

  std::uint16_t u16() { return static_cast<std::uint16_t>(little_endian(2)); }

  std::uint32_t u32() { return static_cast<std::uint32_t>(little_endian(4)); }

  std::uint64_t u64() { return little_endian(8); }

  /// Returns a view into the input, or an empty view when fewer than n bytes remain.
  BytesView bytes(std::size_t n);

  template <std::size_t N>
  std::array<std::uint8_t, N> array() {
    std::array<std::uint8_t, N> out{};
    BytesView v = bytes(N);
    for (std::size_t i = 0; i < v.size(); ++i)
      out[i] = v[i];
    return out;
  }

  [[nodiscard]] bool ok() const { return ok_; }

  [[nodiscard]] std::size_t remaining() const { return in_.size() - at_; }

  /// True when every read succeeded and nothing is left over.
  [[nodiscard]] bool finished() const { return ok_ && remaining() == 0; }

 private:
  std::uint64_t little_endian(std::size_t width);

  BytesView in_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace sotto

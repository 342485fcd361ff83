// Conversion of single fields to bytes and back. FieldWriter and FieldReader have the same methods,
// so that codec.cc describes the layout of each message once for both directions. Private to
// common/wire.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/ids.h"
#include "common/wire/codec.h"

namespace sotto::wire {

/// FieldWriter writes fields. A value that does not fit its length prefix is a programming error.
class FieldWriter {
 public:
  template <class T>
  using Ref = const T&;

  void u8(std::uint8_t v) { out_.u8(v); }

  void u32(std::uint32_t v) { out_.u32(v); }

  void u64(std::uint64_t v) { out_.u64(v); }

  void u32_at_most(std::uint32_t v, std::uint64_t /*limit*/, std::string_view /*name*/) { u32(v); }

  void u64_at_most(std::uint64_t v, std::uint64_t /*limit*/, std::string_view /*name*/) { u64(v); }

  void id(MemberId v) { out_.u32(raw(v)); }

  template <std::size_t N>
  void array(const std::array<std::uint8_t, N>& v) {
    out_.bytes(v);
  }

  void flag(bool v) { out_.u8(v ? 1 : 0); }

  template <class E>
  void enumeration(E v, E /*first*/, E /*last*/, std::string_view /*name*/) {
    out_.u8(static_cast<std::uint8_t>(v));
  }

  /// A byte that has only one value in this version. `why` is the reader's Error for another value.
  void fixed_u8(std::uint8_t v, std::string_view /*why*/) { out_.u8(v); }

  void fixed_u32(std::uint32_t v, std::string_view /*why*/) { out_.u32(v); }

  void fixed(BytesView v, std::string_view /*why*/) { out_.bytes(v); }

  /// u16 length in bytes, then one bit for each of at most `bits` members.
  void bitmap(const Bitmap& v, std::uint32_t /*bits*/) {
    SOTTO_CHECK(v.size() <= 0xffff, "bitmap longer than its length prefix can say");
    out_.u16(static_cast<std::uint16_t>(v.size()));
    out_.bytes(v);
  }

  /// u32 length, then the bytes. A longer text is cut, so that every decoder accepts the frame.
  void text(const std::string& v, std::uint32_t limit, std::string_view /*name*/) {
    const std::string_view sent = as_sent(v, limit);
    length(sent.size());
    out_.bytes(view_of(sent));
  }

  void data(const Bytes& v, std::uint32_t /*limit*/, std::string_view /*name*/) {
    length(v.size());
    out_.bytes(v);
  }

  /// u32 count, then the entries.
  template <class T, class Each>
  void list(const std::vector<T>& v, std::uint32_t /*limit*/, std::size_t /*entry_bytes*/,
            std::string_view /*name*/, Each each) {
    length(v.size());
    for (const T& entry : v)
      each(entry);
  }

  /// The same with an u8 count.
  template <class T, class Each>
  void short_list(const std::vector<T>& v, std::uint32_t /*limit*/, std::size_t /*entry_bytes*/,
                  std::string_view /*name*/, Each each) {
    SOTTO_CHECK(v.size() <= 0xff, "more entries than an u8 count can say");
    out_.u8(static_cast<std::uint8_t>(v.size()));
    for (const T& entry : v)
      each(entry);
  }

  /// u8 0, or 1 and the fields.
  template <class T, class Each>
  void optional(const std::optional<T>& v, Each each) {
    flag(v.has_value());
    if (v) each(*v);
  }

  /// A condition on the fields read so far; writing ignores it.
  void require(bool /*holds*/, std::string_view /*why*/) {}

  [[nodiscard]] Bytes take() { return out_.take(); }

 private:
  void length(std::size_t n) {
    SOTTO_CHECK(n <= 0xffffffff, "longer than an u32 length can say");
    out_.u32(static_cast<std::uint32_t>(n));
  }

  ByteWriter out_;
};

/// FieldReader reads fields. The first failure is kept, and everything after it reads as zero or
/// empty. It allocates nothing for a count or length before it has compared it with its limit and
/// with the rest of the input.
class FieldReader {
 public:
  template <class T>
  using Ref = T&;

  explicit FieldReader(BytesView in) : in_(in) {}

  void u8(std::uint8_t& v) { v = in_.u8(); }

  void u32(std::uint32_t& v) { v = in_.u32(); }

  void u64(std::uint64_t& v) { v = in_.u64(); }

  void u32_at_most(std::uint32_t& v, std::uint64_t limit, std::string_view name) {
    u32(v);
    if (v > limit) fail(too_big(name, v, limit));
  }

  void u64_at_most(std::uint64_t& v, std::uint64_t limit, std::string_view name) {
    u64(v);
    if (v > limit) fail(too_big(name, v, limit));
  }

  void id(MemberId& v) { v = MemberId{in_.u32()}; }

  template <std::size_t N>
  void array(std::array<std::uint8_t, N>& v) {
    v = in_.array<N>();
  }

  void flag(bool& v) {
    const std::uint8_t byte = in_.u8();
    if (byte > 1) fail("a yes/no byte is neither 0 nor 1");
    v = byte == 1;
  }

  template <class E>
  void enumeration(E& v, E first, E last, std::string_view name) {
    const std::uint8_t byte = in_.u8();
    if (byte < static_cast<std::uint8_t>(first) || byte > static_cast<std::uint8_t>(last)) {
      if (in_.ok()) fail("unknown " + std::string(name) + " " + std::to_string(byte));
      return;
    }
    v = static_cast<E>(byte);
  }

  void fixed_u8(std::uint8_t v, std::string_view why) { require(in_.u8() == v, why); }

  void fixed_u32(std::uint32_t v, std::string_view why) { require(in_.u32() == v, why); }

  void fixed(BytesView v, std::string_view why) {
    const BytesView got = in_.bytes(v.size());
    require(std::equal(got.begin(), got.end(), v.begin(), v.end()), why);
  }

  void bitmap(Bitmap& v, std::uint32_t bits) {
    const std::uint32_t limit = bits / 8 + (bits % 8 != 0 ? 1 : 0);
    read_bytes(v, in_.u16(), limit, "bitmap bytes");
  }

  void text(std::string& v, std::uint32_t limit, std::string_view name) {
    read_bytes(v, in_.u32(), limit, name);
  }

  void data(Bytes& v, std::uint32_t limit, std::string_view name) {
    read_bytes(v, in_.u32(), limit, name);
  }

  template <class T, class Each>
  void list(std::vector<T>& v, std::uint32_t limit, std::size_t entry_bytes, std::string_view name,
            Each each) {
    read_entries(v, in_.u32(), limit, entry_bytes, name, each);
  }

  template <class T, class Each>
  void short_list(std::vector<T>& v, std::uint32_t limit, std::size_t entry_bytes,
                  std::string_view name, Each each) {
    read_entries(v, in_.u8(), limit, entry_bytes, name, each);
  }

  template <class T, class Each>
  void optional(std::optional<T>& v, Each each) {
    bool there = false;
    flag(there);
    if (there) each(v.emplace());
  }

  void require(bool holds, std::string_view why) {
    if (in_.ok() && !holds) fail(std::string(why));
  }

  /// Returns, once all fields are read, what is wrong with the bytes; nullopt when all of them were
  /// read and valid.
  [[nodiscard]] std::optional<std::string> failure() const {
    if (!error_.empty()) return error_;
    if (!in_.ok()) return "ends too early";
    if (in_.remaining() != 0)
      return std::to_string(in_.remaining()) + " bytes follow its last field";
    return std::nullopt;
  }

 private:
  static std::string too_big(std::string_view name, std::uint64_t n, std::uint64_t limit) {
    return std::string(name) + ": " + std::to_string(n) + ", at most " + std::to_string(limit) +
           " allowed";
  }

  void fail(std::string why) {
    if (error_.empty()) error_ = std::move(why);
  }

  bool fits(std::uint64_t n, std::uint64_t limit, std::size_t each_bytes, std::string_view name) {
    if (n > limit) fail(too_big(name, n, limit));
    if (n * each_bytes > in_.remaining()) fail("ends too early");
    return error_.empty() && in_.ok();
  }

  template <class Container>
  void read_bytes(Container& v, std::uint32_t n, std::uint32_t limit, std::string_view name) {
    if (!fits(n, limit, 1, name)) return;
    const BytesView bytes = in_.bytes(n);
    v.assign(bytes.begin(), bytes.end());
  }

  template <class T, class Each>
  void read_entries(std::vector<T>& v, std::uint32_t n, std::uint32_t limit,
                    std::size_t entry_bytes, std::string_view name, Each each) {
    if (!fits(n, limit, entry_bytes, name)) return;
    v.resize(n);
    for (T& entry : v)
      each(entry);
  }

  ByteReader in_;
  std::string error_;
};

}  // namespace sotto::wire

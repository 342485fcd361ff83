#include "common/base/bytes.h"

namespace sotto {

BytesView view_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string to_hex(BytesView bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (std::uint8_t b : bytes) {
    out.push_back(kDigits[b >> 4]);
    out.push_back(kDigits[b & 15]);
  }
  return out;
}

namespace {

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<Bytes> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return Error{"a hexadecimal string needs an even number of digits"};
  Bytes out;
  out.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit_value(hex[i]);
    const int low = digit_value(hex[i + 1]);
    if (high < 0 || low < 0)
      return Error{"not a hexadecimal digit at position " + std::to_string(i)};
    out.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return out;
}

BytesView ByteReader::bytes(std::size_t n) {
  if (!ok_ || n > remaining()) {
    ok_ = false;
    return {};
  }
  BytesView v = in_.subspan(at_, n);
  at_ += n;
  return v;
}

std::uint64_t ByteReader::little_endian(std::size_t width) {
  std::uint64_t v = 0;
  BytesView raw = bytes(width);
  for (std::size_t i = 0; i < raw.size(); ++i)
    v |= static_cast<std::uint64_t>(raw[i]) << (8 * i);
  return v;
}

}  // namespace sotto

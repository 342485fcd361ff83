// Any bytes at the decoder: it may refuse, never crash or allocate beyond the input's size, and
// what it accepts is encoded to the same bytes again. The first byte chooses what the rest is: the
// body of one type of message (its frame is made here, so that every type is as near as any other),
// a whole frame, a round header, or a bitmap.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "common/wire/codec.h"

namespace {

using sotto::Bytes;
using sotto::BytesView;

constexpr std::array<std::uint16_t, 27> kTypes{0,  1,  2,  3,  4,  5,  6,  7,  8,
                                               9,  10, 11, 12, 13, 14, 32, 33, 34,
                                               35, 36, 37, 38, 48, 49, 50, 51, 52};
constexpr std::size_t kVotingToAbort =
    3;  // messages that share a type with another: kind 1 of 6 to 8
static_assert(kTypes.size() + kVotingToAbort == std::variant_size_v<sotto::wire::Message>,
              "every message type has its place");
constexpr std::uint8_t kFrame = 27;
constexpr std::uint8_t kHeader = 28;
constexpr std::uint8_t kBitmap = 29;

void same_bytes_or_abort(const Bytes& again, BytesView input) {
  if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) std::abort();
}

void decode_frame(BytesView frame) {
  const auto decoded = sotto::wire::decode(frame);
  if (decoded.ok())
    same_bytes_or_abort(sotto::wire::encode(decoded->sender, decoded->round, decoded->message),
                        frame);
}

void decode_body(std::uint16_t type, BytesView body) {
  sotto::ByteWriter frame;
  frame.u16(sotto::wire::kWireVersion);
  frame.u16(type);
  frame.u32(2);
  frame.u64(1 << 16);
  frame.u64(body.size());
  frame.bytes(body);
  decode_frame(frame.view());
}

void read_header(BytesView bytes) {
  const auto header = sotto::wire::parse_header(bytes);
  if (header.ok()) same_bytes_or_abort(sotto::wire::header_bytes(*header), bytes);
}

void read_bitmap(BytesView input) {
  if (input.empty()) return;
  const Bytes bits(input.begin() + 1, input.end());
  const auto set = sotto::wire::from_bitmap(input[0], bits);
  if (set.ok()) same_bytes_or_abort(sotto::wire::to_bitmap(input[0], *set), bits);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView rest(data + 1, size - 1);
  if (data[0] < kTypes.size()) decode_body(kTypes[data[0]], rest);
  if (data[0] == kFrame) decode_frame(rest);
  if (data[0] == kHeader) read_header(rest);
  if (data[0] == kBitmap) read_bitmap(rest);
  return 0;
}

// The encoder and the decoder of all messages. A frame is
//   u16 version | u16 type | u32 sender | u64 round | u64 body length | body
// with integers little-endian. Only decode() turns bytes into a Message. It checks everything that
// can be checked without keys: version, type, exact length, counts against Limits, enumerators,
// zero padding.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/wire/messages.h"

namespace sotto::wire {

inline constexpr std::uint16_t kWireVersion = kProtocol;
inline constexpr std::size_t kFrameHeaderBytes = 24;

/// The largest counts and lengths on the wire. A larger one is refused before anything is
/// allocated.
struct Limits {
  std::uint32_t roster_members = 16384;
  std::uint32_t cohort = 16384;
  std::uint32_t lanes = 8;
  std::uint64_t lane_words = std::uint64_t{1} << 32;
  std::uint32_t job_bytes = 1 << 20;
  std::uint32_t reason_bytes = 4096;
  std::uint64_t examples = kMaxDeclaredExamples;
  std::uint32_t blob_chunk_bytes = 1 << 20;
  std::uint64_t blob_bytes = std::uint64_t{1} << 36;
};

struct Decoded {
  MemberId sender{};
  RoundNumber round;
  Message message;
};

Bytes encode(MemberId sender, RoundNumber round, const Message& message);
Result<Decoded> decode(BytesView frame, const Limits& limits = {});

/// Returns whether the version of a frame names another protocol than this program's. The Error of
/// decode() for such a frame names both.
bool is_of_another_protocol(BytesView frame);

/// The canonical header bytes (which h hashes, without deadlines), and back.
Bytes header_bytes(const RoundHeader& header);
Result<RoundHeader> parse_header(BytesView bytes, const Limits& limits = {});

/// Converts bits to a list of indexes in [0, n), ascending, and back. from_bitmap() refuses a wrong
/// length or a spare bit that is set.
Bitmap to_bitmap(std::uint32_t n, const std::vector<std::uint32_t>& indexes);
Result<std::vector<std::uint32_t>> from_bitmap(std::uint32_t n, const Bitmap& bitmap);

/// Returns the part of `text` that is sent when decode() accepts `limit` bytes: all of it, or its
/// beginning up to the end of a whole UTF-8 character. The encoder and the code that signs texts
/// use the same rule, so that no text makes a frame that its receiver refuses.
inline std::string_view as_sent(std::string_view text, std::uint32_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U)
    --end;  // a continuation byte of a character
  return text.substr(0, end);
}

}  // namespace sotto::wire

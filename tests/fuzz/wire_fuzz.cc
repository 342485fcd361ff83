// Any bytes at the decoder: it may refuse, never crash or allocate beyond the input's size, and
// what it accepts is encoded to the same bytes again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "common/wire/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sotto::BytesView input(data, size);
  const auto decoded = sotto::wire::decode(input);
  if (decoded.ok()) {
    const sotto::Bytes again =
        sotto::wire::encode(decoded->sender, decoded->round, decoded->message);
    if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) std::abort();
  }
  const auto header = sotto::wire::parse_header(input);
  if (header.ok()) {
    const sotto::Bytes again = sotto::wire::header_bytes(*header);
    if (!std::equal(again.begin(), again.end(), input.begin(), input.end())) std::abort();
  }
  return 0;
}

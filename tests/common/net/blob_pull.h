// A blob pulled over the transport, as the coordinator pulls an upload and a member a model: who
// holds it says Hello when its link is up or hears one, and answers requests; the other asks.
#pragma once

#include <algorithm>
#include <random>

#include "common/net/transport.h"
#include "common/wire/blob_transfer.h"
#include "common/wire/codec.h"
#include "tests/common/net/net_fixture.h"

namespace sotto::net {

inline TimePoint now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

inline Bytes some_bytes(std::size_t n) {
  Bytes bytes(n);
  std::mt19937_64 random(4);  // NOLINT
  for (std::size_t i = 0; i < n; i += 64)
    bytes[i] = static_cast<std::uint8_t>(random());
  return bytes;
}

/// Who holds the blob is one end of a link, who fetches it the other.
struct Pull {
  explicit Pull(std::size_t size, wire::FetchLimits limits = {})
      : blob(some_bytes(size)), fetch({}, size, size, limits) {}

  /// At the holder.
  void serve(const ReceivedFrame& received, MemberId self, Transport& link) {
    const auto decoded = wire::decode(received.frame);
    ASSERT_TRUE(decoded.ok());
    const auto* request = std::get_if<wire::BlobRequest>(&decoded->message);
    if (!request) return;
    const auto data = wire::answer(*request, blob);
    ASSERT_TRUE(data.ok());
    sent += data->data.size();
    most_queued = std::max(most_queued, sent - fetch.received_bytes());
    // Of a link that was cut requests may still be read after it: their answers have nowhere to go.
    EXPECT_NE(link.send(received.peer, wire::encode(self, {}, *data)), SendOutcome::kWouldBlock);
  }

  /// At the fetching end: the link is up (again).
  void reconnected(MemberId self, MemberId holder, Transport& link) {
    fetch.reconnected();
    ask(self, holder, link);
  }

  void ask(MemberId self, MemberId holder, Transport& link) {
    // Frames of a link that was cut may still be read after it: then there is nobody to ask, and
    // the next Hello asks again. A full queue would mean that more was in flight than the window
    // allows.
    for (const auto& request : fetch.due(now()))
      EXPECT_NE(link.send(holder, wire::encode(self, {}, request)), SendOutcome::kWouldBlock);
  }

  void take(const ReceivedFrame& received, MemberId self, Transport& link) {
    const auto decoded = wire::decode(received.frame);
    ASSERT_TRUE(decoded.ok());
    if (std::holds_alternative<wire::Hello>(decoded->message))
      return reconnected(self, received.peer, link);
    ASSERT_TRUE(fetch.accept(std::get<wire::BlobData>(decoded->message)).ok());
    ask(self, received.peer, link);
  }

  Bytes blob;
  wire::BlobFetch fetch;
  std::uint64_t sent = 0;
  std::uint64_t most_queued = 0;
};

}  // namespace sotto::net

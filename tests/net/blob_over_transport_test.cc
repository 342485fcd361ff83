#include <random>

#include "common/net/transport.h"
#include "common/wire/blob_transfer.h"
#include "common/wire/codec.h"
#include "tests/net/net_fixture.h"

namespace sotto::net {
namespace {

constexpr MemberId kOne{1};

TimePoint now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

Bytes some_bytes(std::size_t n) {
  Bytes bytes(n);
  std::mt19937_64 random(4);  // NOLINT
  for (std::size_t i = 0; i < n; i += 64)
    bytes[i] = static_cast<std::uint8_t>(random());
  return bytes;
}

/// The coordinator pulls a member's blob, as it does with an upload.
struct Pull {
  explicit Pull(std::size_t size) : blob(some_bytes(size)), fetch({}, size, size) {}

  void serve(const ReceivedFrame& received, Transport& client) {
    const auto decoded = wire::decode(received.frame);
    ASSERT_TRUE(decoded.ok());
    const auto data = wire::answer(std::get<wire::BlobRequest>(decoded->message), blob);
    ASSERT_TRUE(data.ok());
    sent += data->data.size();
    most_queued = std::max(most_queued, sent - fetch.received_bytes());
    ASSERT_EQ(client.send(kCoordinatorId, wire::encode(kOne, {}, *data)), SendOutcome::kSent);
  }

  void ask(Transport& server) {
    // Frames of a link that was cut may still be read after it: then there is nobody to ask, and
    // the next Hello asks again. A full queue would mean that more was in flight than the window
    // allows.
    for (const auto& request : fetch.due(now()))
      EXPECT_NE(server.send(kOne, wire::encode(kCoordinatorId, {}, request)),
                SendOutcome::kWouldBlock);
  }

  void take(const ReceivedFrame& received, Transport& server) {
    const auto decoded = wire::decode(received.frame);
    ASSERT_TRUE(decoded.ok());
    if (std::holds_alternative<wire::Hello>(decoded->message))
      fetch.reconnected();
    else
      ASSERT_TRUE(fetch.accept(std::get<wire::BlobData>(decoded->message)).ok());
    ask(server);
  }

  Bytes blob;
  wire::BlobFetch fetch;
  std::uint64_t sent = 0;
  std::uint64_t most_queued = 0;
};

TEST(BlobOverTransport, SixtyFourMebibytesArriveWithABoundedQueue) {
  boost::asio::io_context loop;
  const Federation federation(1);
  Pull pull(std::size_t{64} << 20);
  std::unique_ptr<Transport> server;
  std::unique_ptr<Transport> client;
  TransportHandlers at_server;
  at_server.on_frame = [&](const ReceivedFrame& received) { pull.take(received, *server); };
  server = listen(loop, federation.listening(), at_server);
  TransportHandlers at_client;
  at_client.on_connected = [&] {
    client->send(kCoordinatorId, wire::encode(kOne, {}, wire::Hello{}));
  };
  at_client.on_frame = [&](const ReceivedFrame& received) { pull.serve(received, *client); };
  client = connect(loop, federation.joining(1, bound_endpoint(*server)), at_client);

  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until(
      loop, [&] { return pull.fetch.complete(); }, 120000));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  RecordProperty("megabytes_per_second",
                 std::to_string(static_cast<double>(pull.blob.size()) / 1e6 / seconds.count()));
  const wire::FetchLimits limits;
  EXPECT_LE(pull.most_queued, std::uint64_t{limits.chunk_bytes} * limits.in_flight);
  EXPECT_EQ(pull.sent, pull.blob.size()) << "some ranges were sent twice";
  EXPECT_TRUE(pull.fetch.take() == pull.blob);
}

TEST(BlobOverTransport, ResumesWhereAParticipantsRestartCutIt) {
  boost::asio::io_context loop;
  const Federation federation(1);
  Pull pull(std::size_t{16} << 20);
  std::unique_ptr<Transport> server;
  TransportHandlers at_server;
  at_server.on_frame = [&](const ReceivedFrame& received) { pull.take(received, *server); };
  server = listen(loop, federation.listening(), at_server);

  int starts = 0;
  while (!pull.fetch.complete()) {
    ASSERT_LT(++starts, 100);
    const std::uint64_t before = pull.fetch.received_bytes();
    std::unique_ptr<Transport> client;
    TransportHandlers at_client;
    at_client.on_connected = [&] {
      client->send(kCoordinatorId, wire::encode(kOne, {}, wire::Hello{}));
    };
    at_client.on_frame = [&](const ReceivedFrame& received) { pull.serve(received, *client); };
    client = connect(loop, federation.joining(1, bound_endpoint(*server)), at_client);
    ASSERT_TRUE(run_until(loop, [&] {
      return pull.fetch.complete() || pull.fetch.received_bytes() > before + (5U << 20);
    }));
  }
  EXPECT_GE(starts, 2);
  EXPECT_TRUE(pull.fetch.take() == pull.blob);
}

}  // namespace
}  // namespace sotto::net

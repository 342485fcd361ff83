#include "tests/common/net/blob_pull.h"

namespace sotto::net {
namespace {

constexpr MemberId kOne{1};

TEST(BlobOverTransport, SixtyFourMebibytesArriveWithABoundedQueue) {
  boost::asio::io_context loop;
  const Federation federation(1);
  Pull pull(std::size_t{64} << 20);
  std::unique_ptr<Transport> server;
  std::unique_ptr<Transport> client;
  TransportHandlers at_server;
  at_server.on_frame = [&](const ReceivedFrame& received) {
    pull.take(received, kCoordinatorId, *server);
  };
  server = listen(loop, federation.listening(), at_server);
  TransportHandlers at_client;
  at_client.on_connected = [&] {
    client->send(kCoordinatorId, wire::encode(kOne, {}, wire::Hello{}));
  };
  at_client.on_frame = [&](const ReceivedFrame& received) { pull.serve(received, kOne, *client); };
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
  at_server.on_frame = [&](const ReceivedFrame& received) {
    pull.take(received, kCoordinatorId, *server);
  };
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
    at_client.on_frame = [&](const ReceivedFrame& received) {
      pull.serve(received, kOne, *client);
    };
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

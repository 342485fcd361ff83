// The link on loopback: how fast a blob is pulled through the transport and what it costs, next to
// the same bytes over plain TCP; and how many small frames go back and forth.
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "common/crypto/key_agreement.h"
#include "common/net/transport.h"
#include "common/wire/blob_transfer.h"
#include "common/wire/codec.h"
#include "tests/bench/bench.h"

namespace sotto::net {
namespace {

using bench::wall_seconds;

constexpr std::size_t kBlobBytes = std::size_t{256} << 20;
constexpr int kRoundTrips = 20000;
constexpr MemberId kOne{1};

CurveIdentity new_identity() {
  crypto::OsRandom random;
  crypto::Secret32 secret = crypto::Secret32::random(random);
  const crypto::AgreementKey key(secret.clone());
  return {key.public_key(), std::move(secret)};
}

TimePoint now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

/// A coordinator and one member, connected, on one loop.
struct Link {
  Link() {
    CoordinatorSocketOptions listening;
    listening.listen = "tcp://127.0.0.1:*";
    listening.identity = new_identity();
    ParticipantSocketOptions joining;
    joining.identity = new_identity();
    joining.coordinator_key = listening.identity.public_key;
    listening.members = {{kOne, joining.identity.public_key}};
    server =
        listen(loop, std::move(listening), {[this](ReceivedFrame f) { at_server(f); }, {}, {}, {}});
    joining.endpoint = bound_endpoint(*server);
    TransportHandlers handlers;
    handlers.on_frame = [this](ReceivedFrame f) { at_client(f); };
    handlers.on_connected = [this] {
      must_send(*client, kCoordinatorId, wire::encode(kOne, {}, wire::Hello{}));
    };
    client = connect(loop, std::move(joining), std::move(handlers));
  }

  static void must_send(Transport& transport, MemberId peer, const Bytes& frame) {
    SOTTO_CHECK(transport.send(peer, frame) == SendOutcome::kSent, "the benchmark's link is full");
  }

  boost::asio::io_context loop;
  std::function<void(const ReceivedFrame&)> at_server;
  std::function<void(const ReceivedFrame&)> at_client;
  std::unique_ptr<Transport> server;
  std::unique_ptr<Transport> client;
};

double pull_seconds(const Bytes& blob) {
  Link link;
  wire::BlobFetch fetch({}, blob.size(), blob.size());
  double start = 0;
  link.at_client = [&](const ReceivedFrame& received) {
    const auto request = wire::decode(received.frame);
    const auto data = wire::answer(std::get<wire::BlobRequest>(request->message), blob);
    Link::must_send(*link.client, kCoordinatorId, wire::encode(kOne, {}, *data));
  };
  link.at_server = [&](const ReceivedFrame& received) {
    const auto message = wire::decode(received.frame);
    if (const auto* data = std::get_if<wire::BlobData>(&message->message))
      SOTTO_CHECK(fetch.accept(*data).ok(), "a range was refused");
    else
      start = wall_seconds();
    for (const auto& request : fetch.due(now()))
      Link::must_send(*link.server, kOne, wire::encode(kCoordinatorId, {}, request));
    if (fetch.complete()) link.loop.stop();
  };
  link.loop.run();
  return wall_seconds() - start;
}

double round_trip_seconds() {
  Link link;
  int left = kRoundTrips;
  double start = 0;
  link.at_client = [&](const ReceivedFrame& received) {
    Link::must_send(*link.client, kCoordinatorId, received.frame);
  };
  link.at_server = [&](const ReceivedFrame& received) {
    if (left == kRoundTrips) start = wall_seconds();
    if (--left < 0) return link.loop.stop();
    Link::must_send(*link.server, kOne, received.frame);
  };
  link.loop.run();
  return (wall_seconds() - start) / kRoundTrips;
}

double plain_tcp_seconds(const Bytes& blob) {
  using boost::asio::ip::tcp;
  boost::asio::io_context loop;
  tcp::acceptor acceptor(loop, {boost::asio::ip::address_v4::loopback(), 0});
  tcp::socket sender(loop);
  sender.connect(acceptor.local_endpoint());
  tcp::socket receiver = acceptor.accept();
  Bytes received(blob.size());
  const double start = wall_seconds();
  std::thread sending([&] { boost::asio::write(sender, boost::asio::buffer(blob)); });
  boost::asio::read(receiver, boost::asio::buffer(received));
  sending.join();
  return wall_seconds() - start;
}

}  // namespace
}  // namespace sotto::net

int main(int argc, char** argv) {
  const sotto::bench::Report report("net", argc, argv);
  const sotto::Bytes blob(sotto::net::kBlobBytes, 7);
  const double megabytes = static_cast<double>(blob.size()) / 1e6;
  double cpu = 0;
  const auto [pull, tcp] = sotto::bench::medians_of(
      3,
      [&] {
        double seconds = 0;
        cpu = sotto::bench::cpu_seconds_of([&] { seconds = sotto::net::pull_seconds(blob); });
        return seconds;
      },
      [&] { return sotto::net::plain_tcp_seconds(blob); });
  report.add({"blob 256 MiB, CURVE", "throughput", megabytes / pull, "MB/s", megabytes / tcp});
  report.add({"blob 256 MiB, CURVE", "CPU, both ends", cpu / (megabytes / 1e3), "s/GB"});
  report.add({"small frame", "round trip",
              1e6 * sotto::bench::median_of(3, [] { return sotto::net::round_trip_seconds(); }),
              "us"});
  return 0;
}

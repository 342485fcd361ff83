// The link on loopback: how fast a blob is pulled through the transport and what it costs, next to
// the same bytes over plain TCP; and how many small frames go back and forth.
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "tests/bench/bench.h"
#include "tests/bench/net/plain_pull.h"

namespace sotto::net {
namespace {

using bench::wall_seconds;

constexpr std::size_t kBlobBytes = std::size_t{256} << 20;
constexpr int kRoundTrips = 20000;

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

// Links as they are between organisations: slow, stalled, cut, forgotten by the routers on the way.
#include "tests/common/net/blob_pull.h"
#include "tests/common/net/relay.h"

namespace sotto::net {
namespace {

constexpr MemberId kOne{1};
constexpr std::uint64_t kBlobBytes = std::uint64_t{16} << 20;
// CURVE and framing add this little to what is sent.
constexpr double kOverhead = 1.03;

/// A coordinator and a member with a relay between them. One of them fetches the blob of the other.
struct Way {
  enum class Fetches { kCoordinator, kMember };

  explicit Way(Fetches who, wire::FetchLimits fetch_limits = {})
      : pull(kBlobBytes, fetch_limits),
        limits(fetch_limits),
        coordinator_fetches(who == Fetches::kCoordinator) {
    TransportHandlers at_server;
    at_server.on_frame = [this](const ReceivedFrame& f) {
      if (coordinator_fetches)
        pull.take(f, kCoordinatorId, *server);
      else
        pull.serve(f, kCoordinatorId, *server);
    };
    server = listen(loop, federation.listening(), at_server);
    relay = std::make_unique<Relay>(bound_endpoint(*server));
    TransportHandlers at_member;
    at_member.on_connected = [this] { greet(); };
    at_member.on_disconnected = [this] { ++disconnected; };
    at_member.on_frame = [this](const ReceivedFrame& f) {
      if (coordinator_fetches)
        pull.serve(f, kOne, *member);
      else
        pull.take(f, kOne, *member);
    };
    member = connect(loop, federation.joining(1, relay->endpoint()), at_member);
  }

  void greet() {
    ++connected;
    member->send(kCoordinatorId, wire::encode(kOne, {}, wire::Hello{}));
    if (!coordinator_fetches) pull.reconnected(kOne, kCoordinatorId, *member);
  }

  bool run_until_received(std::uint64_t bytes, int milliseconds = 60000) {
    return run_until(
        loop,
        [&] {
          // As the state machines do at their wake_at().
          const auto wake = pull.fetch.wake_at();
          if (wake && *wake <= now() && connected > 0) {
            if (coordinator_fetches)
              pull.ask(kCoordinatorId, kOne, *server);
            else
              pull.ask(kOne, kCoordinatorId, *member);
          }
          return pull.fetch.received_bytes() >= bytes;
        },
        milliseconds);
  }

  [[nodiscard]] std::uint64_t carried() const {
    return coordinator_fetches ? relay->up_bytes() : relay->down_bytes();
  }

  /// What is sent again after a break: the window of requests, once.
  [[nodiscard]] std::uint64_t most_carried(std::uint64_t breaks) const {
    const std::uint64_t window = std::uint64_t{limits.chunk_bytes} * limits.in_flight;
    return static_cast<std::uint64_t>(kOverhead *
                                      static_cast<double>(kBlobBytes + breaks * window)) +
           65536;
  }

  boost::asio::io_context loop;
  const Federation federation{1};
  Pull pull;
  wire::FetchLimits limits;
  bool coordinator_fetches;
  std::unique_ptr<Transport> server;
  std::unique_ptr<Relay> relay;
  std::unique_ptr<Transport> member;
  int connected = 0;
  int disconnected = 0;
};

class BrokenTransfer : public testing::TestWithParam<Way::Fetches> {};

TEST_P(BrokenTransfer, ACutSendsNoMoreThanAWindowAgain) {
  Way way(GetParam());
  for (std::uint64_t cut = 1; cut <= 3; ++cut) {
    ASSERT_TRUE(way.run_until_received(cut * (3U << 20)));
    way.relay->cut_after(100000);  // in the middle of a chunk
    ASSERT_TRUE(run_until(way.loop, [&] { return way.disconnected == static_cast<int>(cut); }));
  }
  ASSERT_TRUE(way.run_until_received(kBlobBytes));
  EXPECT_TRUE(way.pull.fetch.take() == way.pull.blob);
  EXPECT_EQ(way.relay->connections(), 4U);
  EXPECT_LE(way.carried(), way.most_carried(3));
  EXPECT_GE(way.carried(), kBlobBytes) << "the relay counts what it carries";
}

TEST_P(BrokenTransfer, AStallShorterThanTheHeartbeatsPatienceCostsNothing) {
  Way way(GetParam());
  ASSERT_TRUE(way.run_until_received(4U << 20));
  way.relay->stall();
  run_for(way.loop, 600);  // a heartbeat is 500 ms, its patience 1000
  way.relay->resume();
  ASSERT_TRUE(way.run_until_received(kBlobBytes));
  EXPECT_EQ(way.disconnected, 0);
  EXPECT_EQ(way.relay->connections(), 1U);
  EXPECT_LE(way.carried(), way.most_carried(0));
}

TEST_P(BrokenTransfer, AForgottenConnectionIsNoticedAndTakenUpAtItsChunk) {
  Way way(GetParam());
  ASSERT_TRUE(way.run_until_received(4U << 20));
  way.relay->forget();
  ASSERT_TRUE(run_until(
      way.loop, [&] { return way.disconnected == 1; }, 5000))
      << "nobody tells an end that a router forgot it: the heartbeat has to notice";
  ASSERT_TRUE(way.run_until_received(kBlobBytes));
  EXPECT_TRUE(way.pull.fetch.take() == way.pull.blob);
  EXPECT_LE(way.carried(), way.most_carried(1));
}

TEST_P(BrokenTransfer, ALongStallIsADeadLinkAndANewOneGoesOn) {
  Way way(GetParam());
  ASSERT_TRUE(way.run_until_received(4U << 20));
  way.relay->stall();
  ASSERT_TRUE(run_until(
      way.loop, [&] { return way.disconnected >= 1; }, 10000));
  run_for(way.loop, 1000);
  way.relay->resume();
  ASSERT_TRUE(way.run_until_received(kBlobBytes));
  EXPECT_TRUE(way.pull.fetch.take() == way.pull.blob);
  // The old link's bytes that were under way arrive as well.
  EXPECT_LE(way.carried(), way.most_carried(2));
}

TEST_P(BrokenTransfer, ASlowLinkWithLongDelaysIsNeverAskedTwice) {
  wire::FetchLimits limits;
  limits.retry_after = Duration(500);
  Way way(GetParam(), limits);
  way.relay->delay(std::chrono::milliseconds(20));
  way.relay->narrow(4U << 20);
  ASSERT_TRUE(way.run_until_received(kBlobBytes / 2));
  EXPECT_EQ(way.disconnected, 0) << "a heartbeat behind a queue of data is no dead link";
  EXPECT_LE(way.pull.sent, kBlobBytes / 2 + std::uint64_t{limits.chunk_bytes} * limits.in_flight);
}

INSTANTIATE_TEST_SUITE_P(BothWays, BrokenTransfer,
                         testing::Values(Way::Fetches::kCoordinator, Way::Fetches::kMember),
                         [](const auto& who) {
                           return who.param == Way::Fetches::kCoordinator ? "Upload" : "Download";
                         });

TEST(UnluckyNetwork, HeartbeatsKeepAnIdleConnectionKnownToRouters) {
  boost::asio::io_context loop;
  const Federation federation(1);
  Seen at_server;
  Seen at_member;
  const auto server = listen(loop, federation.listening(), at_server.handlers());
  Relay relay(bound_endpoint(*server));
  relay.forget_idle(std::chrono::milliseconds(1200));  // a heartbeat comes every 500 ms
  const auto member = connect(loop, federation.joining(1, relay.endpoint()), at_member.handlers());
  ASSERT_TRUE(run_until(loop, [&] { return at_member.connected == 1; }));
  run_for(loop, 4000);
  EXPECT_EQ(at_member.disconnected, 0);
  ASSERT_EQ(member->send(kCoordinatorId, bytes_of("still here")), SendOutcome::kSent);
  EXPECT_TRUE(run_until(
      loop, [&] { return at_server.frames.size() == 1; }, 2000));
}

TEST(UnluckyNetwork, ARouterThatForgetsSoonerOnlyMakesReconnections) {
  boost::asio::io_context loop;
  const Federation federation(1);
  Seen at_server;
  Seen at_member;
  const auto server = listen(loop, federation.listening(), at_server.handlers());
  Relay relay(bound_endpoint(*server));
  relay.forget_idle(std::chrono::milliseconds(200));
  const auto member = connect(loop, federation.joining(1, relay.endpoint()), at_member.handlers());
  ASSERT_TRUE(run_until(
      loop, [&] { return at_member.connected >= 3; }, 20000));
  relay.forget_idle(std::chrono::milliseconds(0));
  ASSERT_TRUE(run_until(loop, [&] {
    return member->send(kCoordinatorId, bytes_of("again")) == SendOutcome::kSent &&
           run_until(
               loop, [&] { return !at_server.frames.empty(); }, 3000);
  }));
}

TEST(UnluckyNetwork, TheCoordinatorForgetsALinkThatDiedSilently) {
  boost::asio::io_context loop;
  const Federation federation(1);
  Seen at_server;
  const auto server = listen(loop, federation.listening(), at_server.handlers());
  Relay relay(bound_endpoint(*server));
  {
    Seen at_member;
    const auto member =
        connect(loop, federation.joining(1, relay.endpoint()), at_member.handlers());
    ASSERT_TRUE(run_until(loop, [&] { return at_member.connected == 1; }));
    ASSERT_EQ(member->send(kCoordinatorId, bytes_of("hello")), SendOutcome::kSent);
    ASSERT_TRUE(run_until(loop, [&] { return at_server.frames.size() == 1; }));
    relay.forget();
    run_for(loop, 20);
  }
  EXPECT_TRUE(run_until(
      loop, [&] { return server->send(kOne, bytes_of("?")) == SendOutcome::kUnreachable; }, 5000));
}

}  // namespace
}  // namespace sotto::net
